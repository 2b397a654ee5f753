// report.html: one file, no outside references, made from what a run folder holds (metrics.jsonl,
// samples.jsonl, data.json, recipe.yaml). Curves are inline SVG (report_svg.h); light and dark
// follow the reader's preference; it reads well on a phone.
#pragma once
#include <string>
#include <vector>

namespace plumb {

struct ReportStage {
  std::string title;   // "Supervised fine-tuning"
  std::string folder;  // a run folder; files it lacks are left out of the report
};

// Writes `path`, a section a stage. Files that cannot be read are errors; missing ones are not.
void write_report(const std::string& path, const std::string& title,
                  const std::vector<ReportStage>& stages);

// The page, without writing it.
std::string render_report(const std::string& title, const std::vector<ReportStage>& stages);

}  // namespace plumb
