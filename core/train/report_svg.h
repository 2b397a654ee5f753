// One line chart as inline SVG: axes with round ticks, a legend when there are several series, and
// native hover titles. Colours are CSS variables of the page (--series-1 ...), so that it follows
// light and dark.
#pragma once
#include <string>
#include <vector>

namespace plumb {

struct Series {
  std::string name;
  std::vector<double> x, y;  // same length; points that are not finite break the line
};

struct Chart {
  std::string title;
  std::string x_label = "step";
  std::vector<Series> series;
};

std::string render_chart(const Chart& chart);

// Round tick positions (1, 2 or 5 times a power of ten) that cover [low, high], at most `most`.
std::vector<double> round_ticks(double low, double high, int most);
std::string format_tick(double value, double spacing);

std::string escape_html(const std::string& text);

}  // namespace plumb
