#include <algorithm>
#include <array>

#include "core/error.h"
#include "core/gguf/vocabulary.h"
#include "core/gguf/vocabulary_parts.h"

namespace plumb {
namespace {

// Regular expressions as the families' tokenizer.json have them.
constexpr const char* kLlama3 =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr const char* kQwen2 =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr const char* kTekken =
    R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr const char* kGpt4o =
    R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

enum class Merging { by_rules, whole_words_first, either };  // model.ignore_merges

struct PreTokenizerRow {
  const char* name;                // llama.cpp's
  std::vector<std::string> steps;  // as step_text() puts them
  Merging merging;
};

const std::array<PreTokenizerRow, 8>& table() {
  static const std::array<PreTokenizerRow, 8> rows = {
      {{"gpt-2", {"ByteLevel with its regex"}, Merging::by_rules},
       {"smollm", {"Digits one by one", "ByteLevel with its regex"}, Merging::by_rules},
       {"falcon",
        {"Punctuation Contiguous", "ByteLevel with its regex", "Digits",
         "Split Isolated [0-9][0-9][0-9]"},
        Merging::by_rules},
       {"llama-bpe",
        {std::string("Split Isolated ") + kLlama3, "ByteLevel"},
        Merging::whole_words_first},
       {"dbrx", {std::string("Split Isolated ") + kLlama3, "ByteLevel"}, Merging::by_rules},
       {"qwen2", {std::string("Split Isolated ") + kQwen2, "ByteLevel"}, Merging::by_rules},
       {"tekken", {std::string("Split Isolated ") + kTekken, "ByteLevel"}, Merging::either},
       {"gpt-4o", {std::string("Split Isolated ") + kGpt4o, "ByteLevel"}, Merging::by_rules}}};
  return rows;
}

std::string split_text(const Json& step) {
  const Json pattern = step.value("pattern", Json());
  const bool is_regex = pattern.is_object() && pattern.contains("Regex");
  std::string behavior = step.value("behavior", "");
  // The families write the same cut as isolated pieces or, inverted, as removed rests.
  const bool is_inverted = step.value("invert", false);
  if (behavior == "Removed" && is_inverted) behavior = "Isolated";
  return "Split " + behavior + " " +
         (is_regex ? pattern["Regex"].get<std::string>() : pattern.dump());
}

std::string step_text(const Json& step) {
  const std::string type = step.value("type", "");
  if (type == "ByteLevel") {
    if (step.value("add_prefix_space", true)) return "ByteLevel with a space before the text";
    return step.value("use_regex", true) ? "ByteLevel with its regex" : "ByteLevel";
  }
  if (type == "Digits")
    return step.value("individual_digits", false) ? "Digits one by one" : "Digits";
  if (type == "Punctuation") return "Punctuation " + step.value("behavior", "Isolated");
  if (type == "Split") return split_text(step);
  return type;
}

}  // namespace

std::string gguf_pre_tokenizer(const Json& tokenizer, const std::string& source) {
  std::vector<std::string> steps;
  for (const Json& step : steps_of(tokenizer.value("pre_tokenizer", Json()), "pretokenizers")) {
    steps.push_back(step_text(step));
  }
  const bool whole_words = tokenizer["model"].value("ignore_merges", false);
  for (const PreTokenizerRow& row : table()) {
    const bool merges_so = row.merging == Merging::either ||
                           (row.merging == Merging::whole_words_first) == whole_words;
    if (row.steps == steps && merges_so) return row.name;
  }
  std::string shown, known;
  for (const std::string& step : steps) shown += (shown.empty() ? "" : ", ") + step;
  for (const PreTokenizerRow& row : table())
    known += (known.empty() ? "" : ", ") + std::string(row.name);
  throw Error(source + ": pre_tokenizer (" + shown + (whole_words ? "; ignore_merges" : "") +
              ") is none that Plumb knows under a llama.cpp name (" + known +
              "), and under a wrong one llama.cpp would give other ids. If llama.cpp has it, add a "
              "row to core/gguf/pre_tokenizer.cpp; until then export with --format hf");
}

}  // namespace plumb
