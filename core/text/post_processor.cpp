#include "core/text/post_processor.h"

#include "core/error.h"

namespace plumb::text {

namespace {

constexpr std::size_t kMaxPieces = 1024;  // nested sequences could grow without bound

Template parse_template(const JsonView& view, std::int32_t id_bound) {
  Template out;
  for (const JsonView& piece : view["single"].items()) {
    if (piece.has("Sequence")) {
      const JsonView id = piece["Sequence"]["id"];
      if (id.string() != "A") id.fail("the template of one text may only use sequence A");
      out.push_back(kSequence);
      continue;
    }
    const JsonView name = piece["SpecialToken"]["id"];
    const JsonView specials = view["special_tokens"];
    if (!specials.has(name.string())) {
      name.fail("the template names a special token that special_tokens does not define");
    }
    for (const JsonView& id : specials[name.string()]["ids"].items()) {
      out.push_back(static_cast<std::int32_t>(id.integer(0, id_bound - 1)));
    }
  }
  return out;
}

// BertProcessing and RobertaProcessing: cls, the text, sep; each is [token, id].
Template parse_cls_sep(const JsonView& view, std::int32_t id_bound) {
  const auto id_of = [&](const char* key) {
    const std::vector<JsonView> pair = view[key].items();
    if (pair.size() != 2) view[key].fail("expected [token, id]");
    return static_cast<std::int32_t>(pair[1].integer(0, id_bound - 1));
  };
  return {id_of("cls"), kSequence, id_of("sep")};
}

std::vector<TrimOffsets> parse_trim(const JsonView& view) {
  if (!view.boolean_or("trim_offsets", true)) return {};
  return {{view.boolean_or("add_prefix_space", true)}};
}

}  // namespace

PostProcessor parse_post_processor(const JsonView& view, std::int32_t id_bound) {
  const std::string type = view.type();
  if (type == "TemplateProcessing") return {parse_template(view, id_bound), {}};
  if (type == "BertProcessing") return {parse_cls_sep(view, id_bound), {}};
  if (type == "ByteLevel") return {{kSequence}, parse_trim(view)};
  if (type == "RobertaProcessing") return {parse_cls_sep(view, id_bound), parse_trim(view)};
  if (type != "Sequence") {
    throw Error(view.where() + ": the post-processor '" + type +
                "' is not supported (supported: Sequence, TemplateProcessing, ByteLevel, "
                "BertProcessing, RobertaProcessing)");
  }
  PostProcessor out;
  for (const JsonView& item : view["processors"].items()) {
    const PostProcessor next = parse_post_processor(item, id_bound);
    out.pieces = fill_template(next.pieces, out.pieces);
    out.trims.insert(out.trims.end(), next.trims.begin(), next.trims.end());
    if (out.pieces.size() > kMaxPieces || out.trims.size() > kMaxPieces) {
      view.fail("the templates together add more than 1024 tokens");
    }
  }
  return out;
}

std::vector<std::int32_t> fill_template(const Template& pieces,
                                        const std::vector<std::int32_t>& sequence) {
  std::vector<std::int32_t> out;
  out.reserve(sequence.size() + pieces.size());
  for (const std::int32_t piece : pieces) {
    if (piece == kSequence) {
      out.insert(out.end(), sequence.begin(), sequence.end());
    } else {
      out.push_back(piece);
    }
  }
  return out;
}

}  // namespace plumb::text
