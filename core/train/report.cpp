#include "core/train/report.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "core/io/files.h"
#include "core/train/report_charts.h"
#include "core/train/report_data.h"
#include "core/train/report_style.h"

namespace plumb {
namespace {

constexpr std::size_t kMostPrompts = 12;

struct Answer {
  std::string label;
  const Sample* sample = nullptr;
};

struct PromptAnswers {
  std::string prompt;
  std::vector<Answer> answers;
};

std::string facts_html(const RunData& run) {
  std::string html;
  for (const auto& [name, first, last] : facts_of(run)) {
    html += "<div><dt>" + escape_html(name) + "</dt><dd>";
    if (first != last) html += "<small>" + format_value(first) + " &rarr; </small>";
    html += format_value(last) + "</dd></div>";
  }
  if (!run.metrics.empty() && !run.metrics[0].x.empty()) {
    double steps = 0;
    for (const Series& series : run.metrics) steps = std::max(steps, series.x.back());
    html += "<div><dt>Steps</dt><dd>" + format_value(steps) + "</dd></div>";
  }
  return html.empty() ? "" : "<dl class=\"facts\">" + html + "</dl>\n";
}

std::string charts_html(const RunData& run) {
  const ChartSet set = charts_of(run);
  const auto grid = [](const std::vector<Chart>& charts) {
    std::string figures;
    for (const Chart& chart : charts) figures += render_chart(chart);
    return figures.empty() ? "" : "<div class=\"charts\">\n" + figures + "</div>\n";
  };
  std::string html = grid(set.main);
  const std::string more = grid(set.more);
  if (more.empty()) return html;
  return html + "<details><summary>More curves</summary>\n" + more + "</details>\n";
}

std::string answer_html(const Answer& answer, const Sample* before) {
  const Sample& sample = *answer.sample;
  std::string html = "<div class=\"answer\"><header><span>" + escape_html(answer.label) + "</span>";
  if (std::isfinite(sample.reward)) {
    const bool compared = before != nullptr && std::isfinite(before->reward);
    const char* css = !compared || sample.reward == before->reward ? ""
                      : sample.reward > before->reward             ? "up"
                                                                   : "down";
    html += std::string("<span class=\"") + css + "\">reward " + format_value(sample.reward) +
            "</span>";
  }
  html += "</header>";
  if (sample.completion.empty()) return html + "<div class=\"empty\">(empty)</div></div>";
  return html + "<div class=\"text\">" + escape_html(sample.completion) + "</div></div>";
}

std::string answers_html(const std::vector<PromptAnswers>& prompts, const std::string& heading) {
  if (prompts.empty()) return "";
  std::string html = "<h3>" + escape_html(heading) + "</h3>\n";
  for (std::size_t i = 0; i < std::min(prompts.size(), kMostPrompts); ++i) {
    const auto& [prompt, answers] = prompts[i];
    html += "<article class=\"sample\"><div class=\"prompt text\">";
    html += prompt.empty() ? "<span class=\"empty\">(no prompt)</span>" : escape_html(prompt);
    html += "</div><div class=\"answers\">";
    for (const Answer& answer : answers) {
      html += answer_html(answer, &answer == &answers[0] ? nullptr : answers[0].sample);
    }
    html += "</div></article>\n";
  }
  if (prompts.size() > kMostPrompts) {
    html += "<p class=\"soft\">" + std::to_string(prompts.size() - kMostPrompts) +
            " more prompts are in samples.jsonl.</p>\n";
  }
  return html;
}

// First and last completion of every prompt of one stage.
std::vector<PromptAnswers> before_and_after(const RunData& run) {
  std::vector<PromptAnswers> prompts;
  std::map<std::string, std::size_t> index;
  for (const Sample& sample : run.samples) {
    const auto [at, added] = index.try_emplace(sample.prompt, prompts.size());
    if (added) prompts.push_back({sample.prompt, {}});
    auto& answers = prompts[at->second].answers;
    const Answer answer{"Step " + std::to_string(sample.step), &sample};
    if (answers.size() < 2) {
      answers.push_back(answer);
    } else {
      answers[1] = answer;
    }
  }
  return prompts;
}

// The last completion of each stage, for prompts that more than one stage answered.
std::vector<PromptAnswers> across_stages(const std::vector<ReportStage>& stages,
                                         const std::vector<RunData>& runs) {
  std::vector<PromptAnswers> prompts;
  std::map<std::string, std::size_t> index;
  for (std::size_t s = 0; s < runs.size(); ++s) {
    for (const Sample& sample : runs[s].samples) {
      const auto [at, added] = index.try_emplace(sample.prompt, prompts.size());
      if (added) prompts.push_back({sample.prompt, {}});
      auto& answers = prompts[at->second].answers;
      const Answer answer{stages[s].title, &sample};
      if (!answers.empty() && answers.back().label == answer.label) {
        answers.back() = answer;
      } else {
        answers.push_back(answer);
      }
    }
  }
  std::erase_if(prompts, [](const PromptAnswers& p) { return p.answers.size() < 2; });
  return prompts;
}

std::string cell(const Json& value) {
  if (value.is_number())
    return "<td class=\"number\">" + format_count(value.get<double>()) + "</td>";
  const std::string text = value.is_string() ? value.get<std::string>()
                           : value.is_null() ? ""
                                             : value.dump();
  return "<td>" + escape_html(text) + "</td>";
}

bool is_number_column(const Json& accounting, const std::string& column) {
  for (const auto& [name, row] : accounting.items()) {
    if (row.is_object() && row.contains(column)) return row[column].is_number();
  }
  return false;
}

// Without what says nothing: empty texts, lists and objects.
Json telling_part(const Json& accounting) {
  Json part = Json::object();
  for (const auto& [name, value] : accounting.items()) {
    const bool is_empty =
        value.is_string() ? value.get_ref<const std::string&>().empty() : value.empty();
    if (!is_empty) part[name] = value;
  }
  return part;
}

// A flat object is a column of names and values; an object of objects a table, a row each.
std::string accounting_html(const Json& whole) {
  if (!whole.is_object() || whole.empty()) return "";
  const Json accounting = telling_part(whole);
  std::vector<std::string> columns;
  for (const auto& [name, row] : accounting.items()) {
    if (!row.is_object()) continue;
    for (const auto& [column, value] : row.items()) {
      if (std::find(columns.begin(), columns.end(), column) == columns.end()) {
        columns.push_back(column);
      }
    }
  }
  std::string head, rows, flat;
  for (const std::string& column : columns) {
    head += std::string("<th") +
            (is_number_column(accounting, column) ? " class=\"number\">" : ">") +
            escape_html(column) + "</th>";
  }
  for (const auto& [name, row] : accounting.items()) {
    const std::string title = "<tr><th>" + escape_html(name) + "</th>";
    if (!row.is_object()) {
      flat += title + cell(row) + "</tr>\n";
      continue;
    }
    rows += title;
    for (const std::string& column : columns) rows += cell(row.value(column, Json()));
    rows += "</tr>\n";
  }
  std::string html = "<h3>Data</h3>\n<div class=\"scroll\">";
  if (!rows.empty()) html += "<table><tr><th></th>" + head + "</tr>\n" + rows + "</table>";
  if (!flat.empty()) html += "<table>" + flat + "</table>";
  return html + "</div>\n";
}

std::string stage_html(const ReportStage& stage, const RunData& run, std::size_t number) {
  std::string html = "<section id=\"stage-" + std::to_string(number) + "\">\n<h2>" +
                     escape_html(stage.title) + "</h2>\n" + facts_html(run) + charts_html(run) +
                     answers_html(before_and_after(run), "Completions, before and after");
  html += accounting_html(run.accounting);
  if (!run.recipe.empty()) {
    html += "<details><summary>Resolved recipe</summary>\n<pre>" + escape_html(run.recipe) +
            "</pre></details>\n";
  }
  return html + "</section>\n";
}

std::string navigation(const std::vector<ReportStage>& stages) {
  if (stages.size() < 2) return "";
  std::string html = "<nav>";
  for (std::size_t s = 0; s < stages.size(); ++s) {
    html +=
        "<a href=\"#stage-" + std::to_string(s + 1) + "\">" + escape_html(stages[s].title) + "</a>";
  }
  return html + "</nav>\n";
}

}  // namespace

std::string render_report(const std::string& title, const std::vector<ReportStage>& stages) {
  std::vector<RunData> runs;
  for (const ReportStage& stage : stages) runs.push_back(read_run(stage.folder));

  std::string html =
      "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
      "<title>" +
      escape_html(title) + "</title>\n<style>" + report_style() +
      "</style>\n</head>\n<body>\n<main>\n<header>\n<h1>" + escape_html(title) + "</h1>\n" +
      navigation(stages) + "</header>\n";
  const std::string together =
      answers_html(across_stages(stages, runs), "The same prompts after every stage");
  if (!together.empty()) {
    html += "<section>\n<h2>What each stage taught</h2>\n" + together + "</section>\n";
  }
  for (std::size_t s = 0; s < stages.size(); ++s) html += stage_html(stages[s], runs[s], s + 1);
  return html +
         "<footer>Made by plumb from the files of the run: metrics.jsonl, samples.jsonl, "
         "data.json, recipe.yaml.</footer>\n</main>\n</body>\n</html>\n";
}

void write_report(const std::string& path, const std::string& title,
                  const std::vector<ReportStage>& stages) {
  files::publish(path, render_report(title, stages));
}

}  // namespace plumb
