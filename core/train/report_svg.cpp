#include "core/train/report_svg.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>
#include <map>

namespace plumb {
namespace {

// In units of the view box. Charts are shown 0.85 to 1.3 times this size, on a phone too.
constexpr double kWidth = 400, kHeight = 220;
constexpr double kLeft = 46, kRight = 10, kTop = 10, kBottom = 34;
constexpr std::size_t kMostPoints = 400;  // of a drawn line
constexpr std::size_t kMostHovers = 100;  // strips with a title
constexpr std::size_t kDense = 40;        // points from which a running mean helps the eye

struct Range {
  double low = std::numeric_limits<double>::infinity();
  double high = -std::numeric_limits<double>::infinity();

  void add(double value) {
    if (!std::isfinite(value)) return;
    low = std::min(low, value);
    high = std::max(high, value);
  }
  bool empty() const { return low > high; }
};

struct Frame {
  Range x, y;

  double px(double value) const {
    return kLeft + (value - x.low) / (x.high - x.low) * (kWidth - kLeft - kRight);
  }
  double py(double value) const {
    return kHeight - kBottom - (value - y.low) / (y.high - y.low) * (kHeight - kTop - kBottom);
  }
};

std::string number(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f", value);
  return text;
}

std::string attribute(const char* name, double value) {
  return std::string(" ") + name + "=\"" + number(value) + "\"";
}

void widen_if_flat(Range& range) {
  if (range.high > range.low) return;
  const double margin = range.high == 0 ? 1 : std::abs(range.high) * 0.1;
  range.low -= margin;
  range.high += margin;
}

Frame frame_of(const Chart& chart) {
  Frame frame;
  for (const Series& series : chart.series) {
    for (std::size_t i = 0; i < series.x.size(); ++i) {
      if (!std::isfinite(series.y[i])) continue;
      frame.x.add(series.x[i]);
      frame.y.add(series.y[i]);
    }
  }
  if (frame.y.empty()) return frame;
  widen_if_flat(frame.x);
  widen_if_flat(frame.y);
  const double margin = 0.04 * (frame.y.high - frame.y.low);
  // A curve that never goes below zero gets no negative axis.
  frame.y.low = frame.y.low >= 0 ? std::max(0.0, frame.y.low - margin) : frame.y.low - margin;
  frame.y.high += margin;
  return frame;
}

std::string axes(const Chart& chart, const Frame& frame) {
  std::string svg;
  const auto y_ticks = round_ticks(frame.y.low, frame.y.high, 5);
  const double y_gap = y_ticks.size() > 1 ? y_ticks[1] - y_ticks[0] : 1;
  for (const double tick : y_ticks) {
    const double y = frame.py(tick);
    svg += "<line class=\"grid\"" + attribute("x1", kLeft) + attribute("x2", kWidth - kRight) +
           attribute("y1", y) + attribute("y2", y) + "/>";
    svg += "<text class=\"tick\" text-anchor=\"end\"" + attribute("x", kLeft - 6) +
           attribute("y", y + 3.5) + ">" + format_tick(tick, y_gap) + "</text>";
  }
  const auto x_ticks = round_ticks(frame.x.low, frame.x.high, 5);
  const double x_gap = x_ticks.size() > 1 ? x_ticks[1] - x_ticks[0] : 1;
  const double base = kHeight - kBottom;
  svg += "<line class=\"axis\"" + attribute("x1", kLeft) + attribute("x2", kWidth - kRight) +
         attribute("y1", base) + attribute("y2", base) + "/>";
  for (const double tick : x_ticks) {
    const double x = frame.px(tick);
    svg += "<line class=\"axis\"" + attribute("x1", x) + attribute("x2", x) +
           attribute("y1", base) + attribute("y2", base + 3) + "/>";
    const bool at_end = x > kWidth - kRight - 12;  // the last label must not be cut off
    svg += std::string("<text class=\"tick\" text-anchor=\"") + (at_end ? "end" : "middle") + "\"" +
           attribute("x", at_end ? kWidth - 2 : x) + attribute("y", base + 15) + ">" +
           format_tick(tick, x_gap) + "</text>";
  }
  svg += "<text class=\"tick\" text-anchor=\"end\"" + attribute("x", kWidth - kRight) +
         attribute("y", kHeight - 4) + ">" + escape_html(chart.x_label) + "</text>";
  return svg;
}

// Every stride-th point, the last one always.
std::vector<std::size_t> thinned(std::size_t count, std::size_t most) {
  std::vector<std::size_t> kept;
  const std::size_t stride = std::max<std::size_t>(1, (count + most - 1) / most);
  for (std::size_t i = 0; i < count; i += stride) kept.push_back(i);
  if (count > 0 && kept.back() != count - 1) kept.push_back(count - 1);
  return kept;
}

std::string path(const Frame& frame, const Series& series, const std::vector<double>& y,
                 const std::string& css) {
  std::string d;
  bool pen_down = false;
  for (const std::size_t i : thinned(series.x.size(), kMostPoints)) {
    if (!std::isfinite(y[i])) {
      pen_down = false;
      continue;
    }
    d += (pen_down ? "L" : "M") + number(frame.px(series.x[i])) + " " + number(frame.py(y[i]));
    pen_down = true;
  }
  return "<path class=\"" + css + "\" d=\"" + d + "\"/>";
}

std::string line(const Frame& frame, const Series& series, std::size_t idx) {
  const std::string colour = "s" + std::to_string(idx % 4 + 1);
  if (series.x.size() >= kDense) {
    const int window = static_cast<int>(series.x.size() / 20) | 1;
    return path(frame, series, series.y, "line raw " + colour) +
           path(frame, series, running_mean(series.y, window), "line " + colour);
  }
  std::string svg = path(frame, series, series.y, "line " + colour);
  for (std::size_t i = 0; i < series.x.size(); ++i) {  // a point alone draws no line
    if (!std::isfinite(series.y[i])) continue;
    svg += "<circle class=\"dot " + colour + "\" r=\"2\"" + attribute("cx", frame.px(series.x[i])) +
           attribute("cy", frame.py(series.y[i])) + "/>";
  }
  return svg;
}

// Transparent strips over the plot; each says what the series are there.
std::string hovers(const Chart& chart, const Frame& frame) {
  std::map<double, std::string> titles;
  for (const Series& series : chart.series) {
    for (const std::size_t i : thinned(series.x.size(), kMostHovers)) {
      titles[series.x[i]] += "\n" + series.name + " " + format_value(series.y[i]);
    }
  }
  std::string svg;
  double left = kLeft;
  for (auto at = titles.begin(); at != titles.end(); ++at) {
    const auto next = std::next(at);
    const double right =
        next == titles.end() ? kWidth - kRight : frame.px((at->first + next->first) / 2);
    svg += "<rect class=\"hover\"" + attribute("x", left) + attribute("y", kTop) +
           attribute("width", std::max(0.0, right - left)) +
           attribute("height", kHeight - kTop - kBottom) + "><title>" +
           escape_html(chart.x_label + " " + format_value(at->first) + at->second) +
           "</title></rect>";
    left = right;
  }
  return svg;
}

std::string legend(const Chart& chart) {
  if (chart.series.size() < 2) return "";
  std::string html = "<span class=\"legend\">";
  for (std::size_t i = 0; i < chart.series.size(); ++i) {
    html += "<span class=\"key s" + std::to_string(i % 4 + 1) + "\">" +
            escape_html(chart.series[i].name) + "</span>";
  }
  return html + "</span>";
}

double last_finite(const std::vector<double>& values) {
  for (auto at = values.rbegin(); at != values.rend(); ++at) {
    if (std::isfinite(*at)) return *at;
  }
  return std::numeric_limits<double>::quiet_NaN();
}

}  // namespace

std::vector<double> round_ticks(double low, double high, int most) {
  const double rough = (high - low) / most;
  const double power = std::pow(10.0, std::floor(std::log10(rough)));
  double spacing = 10 * power;
  for (const double factor : {1.0, 2.0, 5.0}) {
    if (factor * power >= rough * 0.999) {
      spacing = factor * power;
      break;
    }
  }
  std::vector<double> ticks;
  for (auto k = static_cast<long long>(std::ceil(low / spacing - 1e-9));
       static_cast<double>(k) * spacing <= high + 1e-9 * spacing; ++k) {
    ticks.push_back(static_cast<double>(k) * spacing);
  }
  return ticks;
}

std::string format_tick(double value, double spacing) {
  char text[48];
  const double size = std::max(std::abs(value), spacing);
  if (value == 0) return "0";
  if (size >= 1e6) {
    std::snprintf(text, sizeof text, "%gM", value / 1e6);
  } else if (size >= 1e4) {
    std::snprintf(text, sizeof text, "%gk", value / 1e3);
  } else if (spacing < 1e-4) {
    std::snprintf(text, sizeof text, "%.2g", value);
    const std::string exact = text;  // "9.5e-06" is wider than the margin, and the 0 says nothing
    const auto zero = exact.find("e-0");
    return zero == std::string::npos ? exact : exact.substr(0, zero + 2) + exact.substr(zero + 3);
  } else {
    const int decimals = std::max(0, static_cast<int>(std::ceil(-std::log10(spacing) - 1e-9)));
    std::snprintf(text, sizeof text, "%.*f", decimals, value);
  }
  return text;
}

std::string format_value(double value) {
  if (std::isnan(value)) return "not a number";
  char text[48];
  const bool whole = value == std::trunc(value) && std::abs(value) < 1e9;
  std::snprintf(text, sizeof text, whole ? "%.0f" : "%.4g", value);
  return text;
}

std::string format_count(double value) {
  std::string text = format_value(value);
  if (value != std::trunc(value) || std::abs(value) >= 1e9) return text;
  const std::size_t first = value < 0 ? 2 : 1;  // no comma before the leading digit
  for (std::size_t at = text.size(); at > first + 2; at -= 3) text.insert(at - 3, ",");
  return text;
}

std::vector<double> running_mean(const std::vector<double>& values, int window) {
  std::vector<double> means(values.size());
  const int half = window / 2, count = static_cast<int>(values.size());
  for (int i = 0; i < count; ++i) {
    double sum = 0;
    int terms = 0;
    for (int j = std::max(0, i - half); j <= std::min(count - 1, i + half); ++j) {
      if (!std::isfinite(values[j])) continue;
      sum += values[j];
      ++terms;
    }
    means[i] = std::isfinite(values[i]) ? sum / terms : std::numeric_limits<double>::quiet_NaN();
  }
  return means;
}

std::string escape_html(const std::string& text) {
  std::string safe;
  safe.reserve(text.size());
  for (const char c : text) {
    switch (c) {
      case '&':
        safe += "&amp;";
        break;
      case '<':
        safe += "&lt;";
        break;
      case '>':
        safe += "&gt;";
        break;
      case '"':
        safe += "&quot;";
        break;
      case '\'':
        safe += "&#39;";
        break;
      default:
        safe += c;
    }
  }
  return safe;
}

std::string render_chart(const Chart& chart) {
  const Frame frame = frame_of(chart);
  if (frame.y.empty()) return "";
  std::string lines;
  for (std::size_t i = 0; i < chart.series.size(); ++i) lines += line(frame, chart.series[i], i);
  const std::string latest = format_value(last_finite(chart.series[0].y));
  return "<figure class=\"chart\"><figcaption><b>" + escape_html(chart.title) + "</b>" +
         legend(chart) + "<span class=\"latest\">" + latest + "</span></figcaption>" +
         "<svg viewBox=\"0 0 " + format_value(kWidth) + " " + format_value(kHeight) +
         "\" role=\"img\" aria-label=\"" + escape_html(chart.title) + ", last value " + latest +
         "\">" + axes(chart, frame) + lines + hovers(chart, frame) + "</svg></figure>\n";
}

}  // namespace plumb
