#include "kernels/simt/streams.h"

#include <algorithm>

#include <fmt/format.h>

#include "kernels/simt/block.h"

using counterfoil::simt::call;
using counterfoil::simt::Capture;
using counterfoil::simt::Runtime;

namespace counterfoil::simt {

Runtime& Runtime::instance() {
  static Runtime& runtime = *new Runtime;  // never destroyed: other singletons release memory at exit
  return runtime;
}

std::shared_ptr<CUstream_st> Runtime::find(cudaStream_t stream) {
  if (stream == nullptr) return legacy;
  const auto found = streams.find(stream);
  return found != streams.end() ? found->second : nullptr;
}

cudaError_t Runtime::append(CUstream_st& stream, Work work) {
  if (stream.capture != nullptr) {
    if (stream.capture->invalid) return cudaErrorStreamCaptureInvalidated;
    stream.capture->work.push_back(std::move(work));
    stream.joined = false;
    return cudaSuccess;
  }
  if (&stream == legacy.get()) {
    for (const auto& capture : captures) {
      if (!find(capture->origin)->blocking) continue;
      capture->invalid = true;
      return cudaErrorStreamCaptureImplicit;
    }
  }
  stream.queue.push_back({++serial_, std::move(work)});
  return cudaSuccess;
}

void Runtime::execute(CUstream_st& stream, std::uint64_t serial) {
  while (!stream.queue.empty() && stream.queue.front().serial <= serial && failure_ == cudaSuccess) {
    const CUstream_st::Operation operation = std::move(stream.queue.front());
    stream.queue.pop_front();
    if (&stream == legacy.get()) {
      for (const auto& [handle, other] : streams) {
        if (other->blocking) execute(*other, operation.serial - 1);
      }
    } else if (stream.blocking) {
      execute(*legacy, operation.serial - 1);
    }
    if (failure_ == cudaSuccess) operation.work();
  }
}

cudaError_t Runtime::run(CUstream_st& stream, std::uint64_t serial) {
  execute(stream, serial);
  return std::exchange(failure_, cudaSuccess);
}

cudaError_t Runtime::run_everything() {
  execute(*legacy, ~std::uint64_t{0});
  for (const auto& [handle, stream] : streams) execute(*stream, ~std::uint64_t{0});
  return std::exchange(failure_, cudaSuccess);
}

cudaError_t Runtime::forbid_capture() {
  if (captures.empty()) return cudaSuccess;
  for (const auto& capture : captures) capture->invalid = true;
  return cudaErrorStreamCaptureUnsupported;
}

void Runtime::fail(cudaError_t error, std::string text) {
  failure_ = error;
  failure_text_ = std::move(text);
  legacy->queue.clear();
  for (const auto& [handle, stream] : streams) stream->queue.clear();
  for (const auto& [handle, event] : events) event->pending = false;
}

cudaError_t enqueue(cudaStream_t stream, std::function<void()> work) {
  return call([&](Runtime& runtime) {
    const auto target = runtime.find(stream);
    return target == nullptr ? cudaErrorInvalidResourceHandle : runtime.append(*target, std::move(work));
  });
}

}  // namespace counterfoil::simt

namespace {

/// What CUDA answers to a wait for, or a question about, an event that was last recorded in a capture.
cudaError_t refuse_captured(Runtime& runtime) {
  runtime.forbid_capture();
  return cudaErrorCapturedEvent;
}

}  // namespace

cudaError_t cudaDeviceSynchronize() {
  return call([](Runtime& runtime) {
    const cudaError_t forbidden = runtime.forbid_capture();
    return forbidden != cudaSuccess ? forbidden : runtime.run_everything();
  });
}

cudaError_t cudaStreamCreate(cudaStream_t* stream) {
  return cudaStreamCreateWithFlags(stream, cudaStreamDefault);
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned flags) {
  return call([&](Runtime& runtime) {
    if (stream == nullptr || flags > cudaStreamNonBlocking) return cudaErrorInvalidValue;
    auto created = std::make_shared<CUstream_st>();
    created->blocking = flags == cudaStreamDefault;
    *stream = created.get();
    runtime.streams.emplace(*stream, std::move(created));
    return cudaSuccess;
  });
}

cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  return call([&](Runtime& runtime) {
    const auto target = runtime.find(stream);
    if (target == nullptr || stream == nullptr) return cudaErrorInvalidResourceHandle;
    if (target->capture != nullptr) return runtime.forbid_capture();
    const cudaError_t error = runtime.run(*target);
    runtime.streams.erase(stream);
    return error;
  });
}

cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  return call([&](Runtime& runtime) {
    const auto target = runtime.find(stream);
    if (target == nullptr) return cudaErrorInvalidResourceHandle;
    return target->capture != nullptr ? runtime.forbid_capture() : runtime.run(*target);
  });
}

cudaError_t cudaStreamQuery(cudaStream_t stream) {
  return call([&](Runtime& runtime) {
    const auto target = runtime.find(stream);
    if (target == nullptr) return cudaErrorInvalidResourceHandle;
    if (target->capture != nullptr) return runtime.forbid_capture();
    return target->queue.empty() ? cudaSuccess : cudaErrorNotReady;
  });
}

cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned) {
  return call([&](Runtime& runtime) {
    const auto target = runtime.find(stream);
    const auto found = runtime.events.find(event);
    if (target == nullptr || found == runtime.events.end()) return cudaErrorInvalidResourceHandle;
    const CUevent_st& awaited = *found->second;
    if (awaited.capture != nullptr) {
      // The waiting stream joins the capture. Work is captured in order of issue, which keeps every dependence.
      if (target->capture != nullptr && target->capture != awaited.capture) return runtime.forbid_capture();
      target->capture = awaited.capture;
      target->joined = false;
      if (awaited.stream->capture == awaited.capture && awaited.stream != target &&
          awaited.serial == awaited.capture->work.size()) {
        awaited.stream->joined = true;
      }
      return cudaSuccess;
    }
    if (!awaited.recorded) return cudaSuccess;
    if (target->capture != nullptr) {  // only the order within a stream may cross a capture's boundary
      target->capture->invalid = true;
      return cudaErrorStreamCaptureIsolation;
    }
    return runtime.append(*target, [&runtime, source = awaited.stream, serial = awaited.serial] {
      const cudaError_t error = runtime.run(*source, serial);
      if (error != cudaSuccess) runtime.fail(error, runtime.failure_text());
    });
  });
}

cudaError_t cudaLaunchHostFunc(cudaStream_t stream, void (*function)(void*), void* argument) {
  return counterfoil::simt::enqueue(stream, [=] { function(argument); });
}

cudaError_t cudaEventCreate(cudaEvent_t* event) {
  return cudaEventCreateWithFlags(event, cudaEventDefault);
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned flags) {
  return call([&](Runtime& runtime) {
    if (event == nullptr) return cudaErrorInvalidValue;
    auto created = std::make_shared<CUevent_st>();
    created->timed = (flags & cudaEventDisableTiming) == 0;
    *event = created.get();
    runtime.events.emplace(*event, std::move(created));
    return cudaSuccess;
  });
}

cudaError_t cudaEventDestroy(cudaEvent_t event) {
  return call(
      [&](Runtime& runtime) { return runtime.events.erase(event) > 0 ? cudaSuccess : cudaErrorInvalidResourceHandle; });
}

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
  return call([&](Runtime& runtime) {
    const auto target = runtime.find(stream);
    const auto found = runtime.events.find(event);
    if (target == nullptr || found == runtime.events.end()) return cudaErrorInvalidResourceHandle;
    const auto recorded = found->second;
    if (target->capture != nullptr) {
      recorded->capture = target->capture;
      recorded->stream = target;
      recorded->serial = target->capture->work.size();
      return target->capture->invalid ? cudaErrorStreamCaptureInvalidated : cudaSuccess;
    }
    const std::uint64_t serial = runtime.last_serial() + 1;
    const cudaError_t error = runtime.append(*target, [recorded, serial] {
      if (recorded->serial != serial) return;  // recorded again since
      recorded->pending = false;
      recorded->time = std::chrono::steady_clock::now();
    });
    if (error != cudaSuccess) return error;
    recorded->capture = nullptr;
    recorded->stream = target;
    recorded->serial = serial;
    recorded->recorded = recorded->pending = true;
    return cudaSuccess;
  });
}

cudaError_t cudaEventSynchronize(cudaEvent_t event) {
  return call([&](Runtime& runtime) {
    const auto found = runtime.events.find(event);
    if (found == runtime.events.end()) return cudaErrorInvalidResourceHandle;
    const auto awaited = found->second;
    if (awaited->capture != nullptr) return refuse_captured(runtime);
    return awaited->pending ? runtime.run(*awaited->stream, awaited->serial) : cudaSuccess;
  });
}

cudaError_t cudaEventQuery(cudaEvent_t event) {
  return call([&](Runtime& runtime) {
    const auto found = runtime.events.find(event);
    if (found == runtime.events.end()) return cudaErrorInvalidResourceHandle;
    if (found->second->capture != nullptr) return refuse_captured(runtime);
    return found->second->pending ? cudaErrorNotReady : cudaSuccess;
  });
}

cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t start, cudaEvent_t stop) {
  return call([&](Runtime& runtime) {
    const auto first = runtime.events.find(start), last = runtime.events.find(stop);
    if (first == runtime.events.end() || last == runtime.events.end()) return cudaErrorInvalidResourceHandle;
    const CUevent_st &a = *first->second, &b = *last->second;
    if (milliseconds == nullptr || !a.timed || !b.timed || !a.recorded || !b.recorded) return cudaErrorInvalidValue;
    if (a.pending || b.pending) return cudaErrorNotReady;
    *milliseconds = std::chrono::duration<float, std::milli>(b.time - a.time).count();
    return cudaSuccess;
  });
}

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode mode) {
  return call([&](Runtime& runtime) {
    const auto target = runtime.find(stream);
    if (target == nullptr) return cudaErrorInvalidResourceHandle;
    if (stream == nullptr || target->capture != nullptr) return cudaErrorStreamCaptureUnsupported;
    target->capture = std::make_shared<Capture>();
    target->capture->origin = stream;
    target->capture->mode = mode;
    runtime.captures.push_back(target->capture);
    return cudaSuccess;
  });
}

cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* graph) {
  return call([&](Runtime& runtime) {
    const auto target = runtime.find(stream);
    if (target == nullptr || graph == nullptr) return cudaErrorInvalidResourceHandle;
    *graph = nullptr;
    const std::shared_ptr<Capture> capture = target->capture;
    if (capture == nullptr) return cudaErrorInvalidValue;
    if (capture->origin != stream) return cudaErrorStreamCaptureUnmatched;
    std::erase(runtime.captures, capture);
    bool joined = true;
    for (const auto& [handle, member] : runtime.streams) {
      if (member->capture != capture) continue;
      joined = joined && (member == target || member->joined);
      member->capture = nullptr;
      member->joined = true;
    }
    if (capture->invalid) return cudaErrorStreamCaptureInvalidated;
    if (!joined) return cudaErrorStreamCaptureUnjoined;
    *graph = new CUgraph_st{capture->work};
    return cudaSuccess;
  });
}

cudaError_t cudaStreamIsCapturing(cudaStream_t stream, cudaStreamCaptureStatus* status) {
  return call([&](Runtime& runtime) {
    const auto target = runtime.find(stream);
    if (target == nullptr || status == nullptr) return cudaErrorInvalidResourceHandle;
    *status = target->capture == nullptr ? cudaStreamCaptureStatusNone
              : target->capture->invalid ? cudaStreamCaptureStatusInvalidated
                                         : cudaStreamCaptureStatusActive;
    return cudaSuccess;
  });
}

cudaError_t cudaGraphInstantiate(cudaGraphExec_t* executable, cudaGraph_t graph, unsigned long long) {
  return call([&](Runtime&) {
    if (executable == nullptr || graph == nullptr) return cudaErrorInvalidValue;
    *executable = new CUgraphExec_st{graph->work};
    return cudaSuccess;
  });
}

cudaError_t cudaGraphLaunch(cudaGraphExec_t executable, cudaStream_t stream) {
  if (executable == nullptr) return counterfoil::simt::noted(cudaErrorInvalidValue);
  return counterfoil::simt::enqueue(stream, [work = executable->work] {
    for (const auto& step : work) step();
  });
}

cudaError_t cudaGraphExecDestroy(cudaGraphExec_t executable) {
  delete executable;
  return cudaSuccess;
}

cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
  delete graph;
  return cudaSuccess;
}
