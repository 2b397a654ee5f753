// One line chart as inline SVG: axes with round ticks, a legend when there are several series, and
// native hover titles. Colours are CSS variables of the page (--series-1 ...), so that it follows
// light and dark. A dense series is drawn faint, with its running mean over it.
#pragma once
#include <string>
#include <vector>

namespace plumb {

struct Series {
  std::string name;
  std::vector<double> x, y;  // same length, x ascending; points that are not finite break the line
};

struct Chart {
  std::string title;
  std::string x_label = "step";
  std::vector<Series> series;
};

// A <figure>; empty when no series has a finite point.
std::string render_chart(const Chart& chart);

// Round numbers (1, 2 or 5 times a power of ten apart) within [low, high], at most about `most`.
std::vector<double> round_ticks(double low, double high, int most);
std::string format_tick(double value, double spacing);
std::string format_value(double value);  // four significant digits
std::string format_count(double value);  // whole numbers as 1,843,200; others as format_value

// Mean over `window` neighbours (fewer at the ends) of the finite values; NaN stays NaN.
std::vector<double> running_mean(const std::vector<double>& values, int window);

std::string escape_html(const std::string& text);

}  // namespace plumb
