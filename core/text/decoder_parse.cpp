#include "core/error.h"
#include "core/text/decoder.h"

namespace plumb::text {

namespace {

constexpr std::size_t kMaxSteps = 256;
constexpr std::int64_t kMaxStrip = 1 << 20;
constexpr const char* kSupported =
    "Sequence, ByteLevel, ByteFallback, Fuse, Metaspace, Replace, Strip, BPEDecoder, "
    "WordPiece, CTC";

// A stage that makes one token of all hands it on in parts. Stages that must see a token whole
// cannot follow it.
bool fuses(const DecoderStep& step) {
  return std::holds_alternative<FuseDecode>(step) || std::holds_alternative<ByteLevelDecode>(step);
}

bool needs_whole_tokens(const DecoderStep& step) {
  return std::holds_alternative<WordPieceDecode>(step) || std::holds_alternative<CtcDecode>(step) ||
         std::holds_alternative<Replace>(step) || std::holds_alternative<ByteLevelDecode>(step) ||
         std::holds_alternative<ByteFallbackDecode>(step);
}

StripDecode parse_strip(const JsonView& view) {
  return {view["content"].character(),
          static_cast<std::size_t>(view["start"].integer(0, kMaxStrip)),
          static_cast<std::size_t>(view["stop"].integer(0, kMaxStrip))};
}

CtcDecode parse_ctc(const JsonView& view) {
  CtcDecode ctc{view.string_or("pad_token", "<pad>"), view.string_or("word_delimiter_token", "|"),
                view.boolean_or("cleanup", true)};
  if (ctc.pad.empty() || ctc.delimiter.empty()) {
    view.fail("an empty pad_token or word_delimiter_token matches everywhere");
  }
  return ctc;
}

void parse_into(const JsonView& view, Decoder& steps) {
  const std::string type = view.type();
  if (steps.size() >= kMaxSteps) view.fail("more than 256 decoders are not supported");
  if (type == "Sequence") {
    for (const JsonView& item : view["decoders"].items()) parse_into(item, steps);
    return;
  }
  DecoderStep step;
  if (type == "ByteLevel") {
    step = ByteLevelDecode{};
  } else if (type == "ByteFallback") {
    step = ByteFallbackDecode{};
  } else if (type == "Fuse") {
    step = FuseDecode{};
  } else if (type == "Metaspace") {
    const MetaspaceStep metaspace = parse_metaspace(view);
    step = MetaspaceDecode{metaspace.replacement, metaspace.prepend != PrependScheme::never};
  } else if (type == "Replace") {
    step = Replace{parse_finder(view["pattern"]), view["content"].string()};
  } else if (type == "Strip") {
    step = parse_strip(view);
  } else if (type == "BPEDecoder") {
    const JsonView suffix = view["suffix"];
    if (suffix.string().empty()) suffix.fail("an empty suffix matches everywhere");
    step = BpeDecode{suffix.string()};
  } else if (type == "WordPiece") {
    step = WordPieceDecode{view.string_or("prefix", "##"), view.boolean_or("cleanup", true)};
  } else if (type == "CTC") {
    step = parse_ctc(view);
  } else {
    throw Error(view.where() + ": the decoder '" + type +
                "' is not supported (supported: " + kSupported + ")");
  }
  const bool has_fused = std::any_of(steps.begin(), steps.end(), fuses);
  if (has_fused && needs_whole_tokens(step)) {
    throw Error(view.where() + ": the decoder '" + type +
                "' after ByteLevel or Fuse is not supported; put it before");
  }
  steps.push_back(std::move(step));
}

}  // namespace

Decoder parse_decoder(const JsonView& view) {
  Decoder steps;
  parse_into(view, steps);
  return steps;
}

}  // namespace plumb::text
