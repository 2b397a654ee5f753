#include "core/data/accounting.h"

#include <sstream>

namespace plumb {
namespace {

// The counters, named once for writing and reading.
template <class Counters, class Visit>
void each_counter(Counters& a, const Visit& visit) {
  visit("rows_read", a.rows_read);
  visit("rows_used", a.rows_used);
  visit("rows_cut", a.rows_cut);
  visit("samples", a.samples);
  visit("sequences", a.sequences);
  visit("tokens", a.tokens);
  visit("trained_tokens", a.trained_tokens);
  visit("longest_row", a.longest_row);
  visit("longest_sample", a.longest_sample);
  visit("ends_trained", a.ends_trained);
  visit("untrained_turns", a.untrained_turns);
}

std::string percent(std::int64_t part, std::int64_t whole) {
  if (whole == 0) return "0 %";
  std::ostringstream out;
  out.precision(1);
  out << std::fixed << 100.0 * static_cast<double>(part) / static_cast<double>(whole) << " %";
  return out.str();
}

}  // namespace

std::int64_t Accounting::rows_skipped() const {
  std::int64_t sum = 0;
  for (const auto& [reason, count] : skipped) sum += count;
  return sum;
}

Json Accounting::to_json() const {
  Json json;
  each_counter(*this, [&](const char* name, std::int64_t value) { json[name] = value; });
  json["skipped"] = skipped;
  json["examples"] = examples;
  json["untrained_example"] = untrained_example;
  json["chat_format"] = chat_format;
  json["row_format"] = row_format;
  return json;
}

Accounting Accounting::from_json(const Json& json) {
  Accounting a;
  each_counter(a, [&](const char* name, std::int64_t& value) { value = json.at(name); });
  a.skipped = json.at("skipped").get<std::map<std::string, std::int64_t>>();
  a.examples = json.at("examples").get<std::vector<std::string>>();
  a.untrained_example = json.at("untrained_example");
  a.chat_format = json.at("chat_format");
  a.row_format = json.at("row_format");
  return a;
}

std::string Accounting::describe() const {
  std::ostringstream out;
  out << "rows: " << rows_read << " read, " << rows_used << " used, " << rows_skipped()
      << " skipped";
  for (const auto& [reason, count] : skipped) out << "\n  skipped, " << reason << ": " << count;
  for (const std::string& example : examples) out << "\n  e.g. " << example;
  if (rows_cut > 0) out << "\n  cut to max_length: " << rows_cut;
  out << "\nsamples: " << samples << "; longest " << longest_sample
      << " tokens; longest row before cutting " << longest_row;
  out << "\ntokens: " << tokens << ", trained " << trained_tokens << " ("
      << percent(trained_tokens, tokens) << ")";
  if (trained_tokens > 0) {
    out << "\nsequences whose last trained token is EOS: " << percent(ends_trained, sequences);
  }
  if (untrained_turns > 0) {
    out << "\nassistant's turns that are not trained, as the template renders them otherwise once "
           "more follows: "
        << untrained_turns << "\n  e.g. " << untrained_example;
  }
  out << "\nrows are " << row_format;
  if (!chat_format.empty()) out << ", template " << chat_format;
  return out.str();
}

}  // namespace plumb
