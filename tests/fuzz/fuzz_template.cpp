// A chat template, a zero byte, and the words of a user. Any bytes: plumb::Error, or a text whose
// bytes all have an origin.
#include <algorithm>
#include <cstdlib>

#include "core/text/jinja/template.h"
#include "core/text/unicode.h"

namespace {

using plumb::jinja::Rendering;

void check(const Rendering& rendering) {
  std::size_t end = 0;
  for (const plumb::jinja::OriginRun& run : rendering.text.runs) {
    if (run.end <= end) std::abort();
    end = run.end;
  }
  if (end != rendering.text.bytes.size()) std::abort();
  if (!plumb::text::is_valid_utf8(rendering.text.bytes)) std::abort();
}

plumb::Json messages_with(std::string_view words) {
  std::string storage;
  const std::string text(plumb::text::to_valid(words, storage));
  return {{{"role", "system"}, {"content", text}},
          {{"role", "user"}, {"content", "Hi " + text}, {"name", "ann"}},
          {{"role", "assistant"},
           {"content", nullptr},
           {"tool_calls",
            {{{"id", "abcdef123"}, {"function", {{"name", "f"}, {"arguments", {{"x", 1.5}}}}}}}}},
          {{"role", "tool"}, {"content", "[1, 2]"}},
          {{"role", "assistant"}, {"content", "<think>a</think>Hello."}}};
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const std::size_t end = std::min(input.find('\0'), input.size());
  const plumb::Json messages =
      messages_with(end < size ? input.substr(end + 1) : "words <|im_end|>");
  const plumb::Json tools = {{{"type", "function"}, {"function", {{"name", "f"}}}}};
  const plumb::Json bos = "<s>", prompt = true;
  // Small, so that what does not end, ends soon.
  plumb::jinja::Limits limits;
  limits.max_steps = 20'000;
  limits.max_output_bytes = std::size_t{1} << 16;
  limits.max_work_bytes = std::size_t{1} << 20;
  limits.max_range = 1000;
  try {
    const auto parsed = plumb::jinja::Template::parse(input.substr(0, end), "fuzz", limits);
    check(parsed.render({{"messages", &messages, plumb::jinja::kInput, true},
                         {"tools", &tools},
                         {"bos_token", &bos, plumb::jinja::kTemplate},
                         {"add_generation_prompt", &prompt}}));
  } catch (const plumb::Error&) {
  }
  return 0;
}
