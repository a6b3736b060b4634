#include "kernels/trace.h"

#include <algorithm>
#include <chrono>
#include <exception>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_map>

#include <fmt/format.h>

#include "kernels/listening_device.h"
#include "kernels/timeline.h"

namespace counterfoil {

namespace {

constexpr std::size_t kMarksAtOnce = 8192;
constexpr std::size_t kNotKept = ~std::size_t{0};

double host_microseconds() {
  static const auto start = std::chrono::steady_clock::now();
  return std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - start).count();
}

std::string shapes(std::span<const ConstView> views) {
  std::string text;
  for (const ConstView& view : views) {
    if (view.data == nullptr && view.size() > 0) continue;  // an absent bias
    fmt::format_to(std::back_inserter(text), "{}{} {}", text.empty() ? "" : ", ", name_of(view.dtype),
                   view.shape.to_string());
  }
  return text;
}

std::string json_string(std::string_view text) {
  std::string result = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') result += '\\';
    if (static_cast<unsigned char>(c) >= 0x20) result += c;
  }
  return result + '"';
}

}  // namespace

class Trace::Recorder final : public CallListener {
 public:
  Recorder(Device& device, std::size_t limit)
      : device_(device), limit_(limit), timeline_(make_timeline(device)), start_(host_microseconds()) {}

  std::size_t begin(const Call& call) override {
    const std::lock_guard lock(mutex_);
    return begin(describe(call));
  }
  void end(std::size_t token) override {
    const std::lock_guard lock(mutex_);
    mark_end(token);
  }
  std::size_t begin_span(std::string_view name) override {
    const std::lock_guard lock(mutex_);
    return begin(describe({name, "", {}, {}, {}}, true));
  }
  void end_span(std::size_t token) noexcept override {
    const std::lock_guard lock(mutex_);
    try {
      mark_end(token);
    } catch (const std::exception&) {  // the device has failed; who waits for it says why
    }
  }

  const Device& device() const { return device_; }
  ListeningDevice& listened() { return listened_; }
  void write(int process, bool& first, const std::function<void(std::string_view)>& write);

 private:
  struct Description {
    std::string name, outputs, inputs;
    Work work;
    bool span = false;
  };
  struct Event {
    std::uint32_t description = 0, thread = 0;
    double begin = 0, end = -1;  // microseconds on the device's timeline
  };
  struct Mark {
    std::size_t event;
    bool end;
  };

  std::uint32_t describe(const Call& call, bool span = false) {
    Description description{fmt::format("{}{}{}", call.name, call.variant.empty() ? "" : " ", call.variant),
                            shapes(call.outputs), shapes(call.inputs), call.work, span};
    const std::string key = fmt::format("{}|{}|{}|{}|{}", description.name, description.outputs, description.inputs,
                                        call.work.bytes, call.work.flops);
    const auto [place, is_new] = known_.try_emplace(key, static_cast<std::uint32_t>(descriptions_.size()));
    if (is_new) descriptions_.push_back(std::move(description));
    return place->second;
  }

  std::size_t begin(std::uint32_t description) {
    if (events_.size() == limit_) {
      ++left_out_;
      return kNotKept;
    }
    const auto thread = threads_.try_emplace(std::this_thread::get_id(), static_cast<std::uint32_t>(threads_.size()));
    mark({events_.size(), false});
    events_.push_back({description, thread.first->second});
    return events_.size() - 1;
  }

  void mark_end(std::size_t token) {
    if (token == kNotKept) return;
    mark({token, true});
    if (marks_.size() >= kMarksAtOnce) resolve();
  }

  void mark(Mark mark) {
    timeline_->mark();
    marks_.push_back(mark);
  }

  void resolve() {
    const std::vector<double> times = timeline_->take();
    for (std::size_t i = 0; i < times.size(); ++i) {
      Event& event = events_[marks_[i].event];
      (marks_[i].end ? event.end : event.begin) = times[i];
    }
    marks_.clear();
  }

  static std::unique_ptr<Timeline> make_timeline(Device& device) {
    auto* const source = dynamic_cast<TimelineSource*>(&device);
    return source != nullptr ? source->make_timeline() : std::make_unique<HostTimeline>();
  }

  Device& device_;
  ListeningDevice listened_{device_, *this};
  std::size_t limit_;
  std::mutex mutex_;
  std::unique_ptr<Timeline> timeline_;
  double start_;  // of the timeline, on the host's clock
  std::vector<Description> descriptions_;
  std::unordered_map<std::string, std::uint32_t> known_;
  std::map<std::thread::id, std::uint32_t> threads_;
  std::vector<Event> events_;
  std::vector<Mark> marks_;  // of which the times are not known yet
  std::size_t left_out_ = 0;
};

void Trace::Recorder::write(int process, bool& first, const std::function<void(std::string_view)>& write) {
  const std::lock_guard lock(mutex_);
  resolve();
  const auto event = [&](const std::string& text) {
    write(first ? "\n" : ",\n");
    write(text);
    first = false;
  };
  const std::string name(device_.name());
  event(fmt::format(R"({{"name":"process_name","ph":"M","pid":{},"args":{{"name":{}}}}})", process,
                    json_string(fmt::format("{} ({})", name, device_.description()))));
  if (left_out_ > 0) {
    event(fmt::format(R"({{"name":"process_labels","ph":"M","pid":{},"args":{{"labels":"{} later events left out"}}}})",
                      process, left_out_));
  }
  for (const auto& [id, thread] : threads_) {
    event(fmt::format(R"({{"name":"thread_name","ph":"M","pid":{},"tid":{},"args":{{"name":"issued by thread {}"}}}})",
                      process, thread + 1, thread + 1));
  }
  for (const Event& one : events_) {
    const Description& what = descriptions_[one.description];
    const double duration = std::max(0.0, one.end - one.begin);
    std::string text = fmt::format(
        R"({{"name":{},"cat":"{}","ph":"X","pid":{},"tid":{},"ts":{:.3f},"dur":{:.3f},"args":{{"device":"{}")",
        json_string(what.name), what.span ? "phase" : "operator", process, one.thread + 1, start_ + one.begin, duration,
        name);
    const auto out = std::back_inserter(text);
    if (!what.span) {
      fmt::format_to(out, R"(,"outputs":"{}","inputs":"{}","bytes":{:.0f},"flops":{:.0f})", what.outputs, what.inputs,
                     what.work.bytes, what.work.flops);
      if (duration > 0) {
        constexpr double kPerMicrosecond = 1e-3;  // to units of 10^9 per second
        fmt::format_to(out, R"(,"GB/s":{:.3f},"GFLOP/s":{:.3f})", kPerMicrosecond * what.work.bytes / duration,
                       kPerMicrosecond * what.work.flops / duration);
      }
    }
    event(text + "}}");
  }
}

Trace::Trace(std::size_t limit) : limit_(limit) {
  host_microseconds();
}

Trace::~Trace() = default;

Device& Trace::listened(Device& device) {
  for (const auto& recorder : recorders_) {
    if (&recorder->device() == &device) return recorder->listened();
  }
  return recorders_.emplace_back(std::make_unique<Recorder>(device, limit_))->listened();
}

void Trace::write(const std::function<void(std::string_view)>& write) {
  bool first = true;
  write("{\"displayTimeUnit\":\"ms\",\"traceEvents\":[");
  int process = 1;
  for (const auto& recorder : recorders_) recorder->write(process++, first, write);
  write("\n]}\n");
}

}  // namespace counterfoil
