#include "app/report.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>

#include <fmt/format.h>

namespace counterfoil::app {

namespace {

std::string escape(const std::string& text) {
  std::string escaped;
  for (const char c : text) {
    switch (c) {
      case '&':
        escaped += "&amp;";
        break;
      case '<':
        escaped += "&lt;";
        break;
      case '>':
        escaped += "&gt;";
        break;
      case '"':
        escaped += "&quot;";
        break;
      default:
        escaped += c;
    }
  }
  return escaped;
}

std::string base64(const std::string& bytes) {
  static constexpr char kDigits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    std::uint32_t group = 0;
    const std::size_t present = std::min<std::size_t>(3, bytes.size() - i);
    for (std::size_t j = 0; j < 3; ++j) {
      group = group << 8 | (j < present ? static_cast<unsigned char>(bytes[i + j]) : 0U);
    }
    for (std::size_t j = 0; j < 4; ++j) text += j <= present ? kDigits[group >> (18 - 6 * j) & 63U] : '=';
  }
  return text;
}

std::string picture(const Report::Picture& shown) {
  if (shown.image.pixels.empty()) return "<td></td>";
  return fmt::format("<td><img alt=\"{}\" src=\"data:image/png;base64,{}\"><span>{}</span></td>", escape(shown.caption),
                     base64(data::encode_png(shown.image)), escape(shown.caption));
}

constexpr double kChartWidth = 260, kChartHeight = 110, kLeft = 44, kBottom = 18, kTop = 8, kRight = 8;

/// At most `limit` points: each the mean of a run of neighbours.
std::vector<std::pair<double, double>> thin(const std::vector<std::pair<double, double>>& points, std::size_t limit) {
  const std::size_t run = (points.size() + limit - 1) / std::max<std::size_t>(limit, 1);
  if (run <= 1) return points;
  std::vector<std::pair<double, double>> thinned;
  for (std::size_t first = 0; first < points.size(); first += run) {
    const std::size_t last = std::min(first + run, points.size());
    double step = 0, value = 0;
    for (std::size_t i = first; i < last; ++i) {
      step += points[i].first;
      value += points[i].second;
    }
    const auto count = static_cast<double>(last - first);
    thinned.emplace_back(step / count, value / count);
  }
  return thinned;
}

std::string chart(const Report::Curve& curve) {
  const std::vector<std::pair<double, double>> points = thin(curve.points, 200);
  if (points.size() < 2) return "";
  const auto by_value = [](const auto& a, const auto& b) { return a.second < b.second; };
  const double low = std::min(0.0, std::ranges::min_element(points, by_value)->second);
  const double high = std::max(low + 1e-12, std::ranges::max_element(points, by_value)->second);
  const double first = points.front().first, last = std::max(points.back().first, first + 1);
  const auto x = [&](double step) { return kLeft + (step - first) / (last - first) * (kChartWidth - kLeft - kRight); };
  const auto y = [&](double value) {
    return kChartHeight - kBottom - (value - low) / (high - low) * (kChartHeight - kBottom - kTop);
  };
  std::string path;
  for (const auto& [step, value] : points)
    path += fmt::format("{}{:.1f},{:.1f}", path.empty() ? "M" : "L", x(step), y(value));
  return fmt::format(
      "<figure><figcaption>{}</figcaption><svg viewBox=\"0 0 {} {}\" role=\"img\" aria-label=\"{} over steps\">"
      "<line class=\"axis\" x1=\"{}\" y1=\"{:.1f}\" x2=\"{}\" y2=\"{:.1f}\"/>"
      "<text x=\"{}\" y=\"{:.1f}\" text-anchor=\"end\">{:.3g}</text><text x=\"{}\" y=\"{:.1f}\" "
      "text-anchor=\"end\">{:.3g}</text>"
      "<text x=\"{}\" y=\"{}\" text-anchor=\"end\">step {:.0f}</text><path d=\"{}\"/></svg></figure>\n",
      escape(curve.name), kChartWidth, kChartHeight, escape(curve.name), kLeft, y(low), kChartWidth - kRight, y(low),
      kLeft - 5, y(high) + 8, high, kLeft - 5, y(low), low, kChartWidth - kRight, kChartHeight - 4,
      curve.points.back().first, path);
}

constexpr const char* kStyle = R"css(
:root { color-scheme: light dark; --ink: #1c1d21; --faint: #6b6e76; --line: #d9dbe0; --page: #ffffff; --accent: #b3261e; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e7e8ec; --faint: #9b9ea8; --line: #3a3c44; --page: #17181c; --accent: #ff8a80; } }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--page); max-width: 62rem;
       margin: 2.5rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem; margin: 0 0 .4rem; } h2 { font-size: 1.1rem; margin: 2.2rem 0 .6rem; }
p { max-width: 46rem; } .faint, figcaption, td span, th { color: var(--faint); }
table { border-collapse: collapse; } th { font-weight: 500; text-align: left; font-size: .85rem; padding: .3rem .7rem; }
td { padding: .3rem .7rem; vertical-align: middle; }
table.figures td { border-top: 1px solid var(--line); } table.figures td:nth-child(2) { font-variant-numeric: tabular-nums; }
table.gallery { display: block; overflow-x: auto; }
table.gallery img { display: block; width: 84px; image-rendering: pixelated; border: 1px solid var(--line); }
table.gallery td span { font-size: .75rem; font-variant-numeric: tabular-nums; }
.curves { display: flex; flex-wrap: wrap; gap: .8rem 1.4rem; } figure { margin: 0; width: 260px; } figcaption { font-size: .85rem; }
svg { width: 100%; } svg text { font-size: 9px; fill: var(--faint); } svg path { fill: none; stroke: var(--accent); stroke-width: 1.4; }
svg .axis { stroke: var(--line); }
pre { font-size: .8rem; overflow-x: auto; border-top: 1px solid var(--line); padding-top: .8rem; color: var(--faint); }
)css";

}  // namespace

std::string render_html(const Report& report) {
  std::string html = fmt::format(
      "<!doctype html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\"><meta name=\"viewport\" "
      "content=\"width=device-width\">"
      "<title>{}</title>\n<style>{}</style></head>\n<body>\n<h1>{}</h1>\n<p>{}</p>\n",
      escape(report.title), kStyle, escape(report.title), escape(report.introduction));
  if (!report.figures.empty()) {
    html += "<h2>Figures on the test set</h2>\n<table class=\"figures\">\n";
    for (const Report::Figure& figure : report.figures) {
      html += fmt::format("<tr><td>{}</td><td>{}</td><td class=\"faint\">{}</td></tr>\n", escape(figure.name),
                          escape(figure.value), escape(figure.meaning));
    }
    html += "</table>\n";
  }
  if (!report.rows.empty()) {
    html += "<h2>Test images</h2>\n<table class=\"gallery\">\n<tr><th></th>";
    for (const std::string& column : report.columns) html += fmt::format("<th>{}</th>", escape(column));
    html += "</tr>\n";
    for (const Report::Row& row : report.rows) {
      html += fmt::format("<tr><th>{}</th>", escape(row.title));
      for (const Report::Picture& shown : row.pictures) html += picture(shown);
      html += "</tr>\n";
    }
    html += "</table>\n";
  }
  if (!report.curves.empty()) {
    html += "<h2>Training</h2>\n<div class=\"curves\">\n";
    for (const Report::Curve& curve : report.curves) html += chart(curve);
    html += "</div>\n";
  }
  html += fmt::format("<h2>How this was made</h2>\n<pre>{}</pre>\n</body>\n</html>\n", escape(report.provenance));
  return html;
}

data::Image heat_image(const std::vector<float>& map, std::int64_t height, std::int64_t width) {
  const float largest = map.empty() ? 0.F : *std::ranges::max_element(map);
  data::Image image{height, width, 3, {}};
  for (const float value : map) {
    // White, through red, to dark red: lightness falls all the way, so that it reads without colour too.
    const float heat = largest > 0 ? std::clamp(value / largest, 0.F, 1.F) : 0.F;
    const float red = heat < 0.5F ? 1.F : 1.F - 0.9F * (heat - 0.5F);
    const float other = std::max(0.F, 1.F - 2 * heat);
    for (const float channel : {red, other, other}) {
      image.pixels.push_back(static_cast<std::uint8_t>(std::lround(255 * channel)));
    }
  }
  return image;
}

data::Image signed_image(const std::vector<float>& map, std::int64_t height, std::int64_t width) {
  constexpr float kGrey = 225;
  constexpr std::array<float, 3> kBlue = {8, 64, 160}, kRed = {160, 16, 32};
  float largest = 0;
  for (const float value : map) largest = std::max(largest, std::abs(value));
  data::Image image{height, width, 3, {}};
  for (const float value : map) {
    const float part = largest > 0 ? std::abs(value) / largest : 0.F;
    for (const float end : value > 0 ? kBlue : kRed)
      image.pixels.push_back(static_cast<std::uint8_t>(std::lround(kGrey + part * (end - kGrey))));
  }
  return image;
}

data::Image grey_or_colour_image(const std::vector<float>& values, std::int64_t height, std::int64_t width,
                                 std::int64_t channels) {
  data::Image image{height, width, channels, {}};
  image.pixels.resize(values.size());
  std::ranges::transform(values, image.pixels.begin(), [](float value) {
    return static_cast<std::uint8_t>(std::lround(255 * std::clamp(value, 0.F, 1.F)));
  });
  return image;
}

}  // namespace counterfoil::app
