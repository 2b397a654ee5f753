#include "core/error.h"
#include "core/text/tokenizer_parts.h"

namespace plumb {

namespace {

using text::JsonView;

// Old files name no type; what they hold tells.
std::string model_type(const JsonView& model) {
  if (model.has("type")) return model.type();
  if (model.has("merges")) return "BPE";
  if (model.has("continuing_subword_prefix")) return "WordPiece";
  if (!model.has("vocab")) return "";
  return model["vocab"].json().is_array() ? "Unigram" : "WordLevel";
}

decltype(TokenizerParts::model) parse_model(const JsonView& model) {
  const std::string type = model_type(model);
  if (type == "BPE") return text::Bpe::parse(model);
  if (type == "WordLevel") return text::WordLevel::parse(model);
  if (type == "WordPiece") return text::WordPiece::parse(model);
  if (type == "Unigram") return text::Unigram::parse(model);
  throw Error(model.where() + ": the model '" + type +
              "' is not supported (supported: BPE, Unigram, WordPiece, WordLevel)");
}

void index_tokens(TokenizerParts& parts, const std::string& where) {
  const text::Vocab& vocab = model_vocab(parts);
  parts.id_bound = vocab.id_bound();
  for (std::size_t i = 0; i < parts.added.size(); ++i) {
    const text::AddedToken& added = parts.added[i];
    const bool is_taken = vocab.has_id(added.id) && vocab.token(added.id) != added.content;
    const bool is_new = parts.added_of_id.emplace(added.id, i).second;
    if (is_taken || !is_new) {
      throw Error(where + "added_tokens: '" + added.content + "' gets id " +
                  std::to_string(added.id) + ", which another token has; each needs its own");
    }
    parts.id_of_added.emplace(added.content, added.id);
    parts.id_bound = std::max(parts.id_bound, added.id + 1);
  }
}

std::optional<JsonView> section(const JsonView& root, const char* name) {
  if (!root.has(name)) return std::nullopt;
  return root[name];
}

// A config's token is a string or an object with the string as `content`.
std::optional<std::string> token_text(const std::vector<JsonView>& files, const char* key) {
  for (const JsonView& file : files) {
    if (!file.has(key)) continue;
    const JsonView value = file[key];
    return value.json().is_object() ? value["content"].string() : value.string();
  }
  return std::nullopt;
}

std::optional<std::int32_t> token_id(const TokenizerParts& parts,
                                     const std::vector<JsonView>& files, const char* key) {
  const std::optional<std::string> content = token_text(files, key);
  if (!content) return std::nullopt;
  const std::int32_t id = find_id(parts, *content);
  if (id == text::kNoToken) return std::nullopt;
  return id;
}

// transformers rebuilds the post-processor when the config says either (tokenizers backend, 5.x).
void rebuild_post_processor(TokenizerParts& parts, const JsonView& config) {
  if (!config.has("add_bos_token") && !config.has("add_eos_token")) return;
  text::Template pieces;
  if (config.boolean_or("add_bos_token", false) && parts.bos) pieces.push_back(*parts.bos);
  pieces.push_back(text::kSequence);
  if (config.boolean_or("add_eos_token", false) && parts.eos) pieces.push_back(*parts.eos);
  parts.post_processor = {std::move(pieces), {}};
}

// A string, or a list of {name, template} of which "default" counts.
std::string jinja_of_config(const JsonView& config) {
  if (!config.has("chat_template")) return "";
  const JsonView value = config["chat_template"];
  if (value.json().is_string()) return value.string();
  for (const JsonView& item : value.items()) {
    if (item["name"].string() == "default") return item["template"].string();
  }
  return "";
}

}  // namespace

const text::Vocab& model_vocab(const TokenizerParts& parts) {
  return std::visit([](const auto& model) -> const text::Vocab& { return model.vocab(); },
                    parts.model);
}

const text::AddedToken* find_added(const TokenizerParts& parts, std::int32_t id) {
  const auto found = parts.added_of_id.find(id);
  return found == parts.added_of_id.end() ? nullptr : &parts.added[found->second];
}

std::int32_t find_id(const TokenizerParts& parts, std::string_view token) {
  const auto added = parts.id_of_added.find(std::string(token));
  return added != parts.id_of_added.end() ? added->second : model_vocab(parts).find(token);
}

std::shared_ptr<TokenizerParts> parse_tokenizer(std::string_view json, const std::string& where) {
  const Json document = parse_json(json, where);
  const JsonView root(document, where + ": ");
  auto parts = std::make_shared<TokenizerParts>();
  if (const std::string version = root.string_or("version", "1.0"); version != "1.0") {
    root["version"].fail("only version 1.0 is supported");
  }
  if (const auto view = section(root, "normalizer")) parts->normalizer = parse_normalizer(*view);
  if (const auto view = section(root, "pre_tokenizer")) {
    parts->pre_tokenizer = parse_pre_tokenizer(*view);
  }
  parts->model = parse_model(root["model"]);
  if (const auto view = section(root, "added_tokens")) {
    parts->added = parse_added_tokens(*view, model_vocab(*parts), parts->normalizer);
  }
  index_tokens(*parts, root.where());
  parts->raw_finder.emplace(parts->added, false);
  parts->normalized_finder.emplace(parts->added, true);
  if (const auto view = section(root, "post_processor")) {
    parts->post_processor = parse_post_processor(*view, parts->id_bound);
  }
  const auto decoder = section(root, "decoder");
  parts->decoder = decoder ? parse_decoder(*decoder) : text::Decoder{text::JoinDecode{}};
  parts->json = json;
  return parts;
}

void apply_config(TokenizerParts& parts, std::string_view config, std::string_view special_map,
                  const std::string& folder) {
  const Json empty = Json::object();
  const std::string config_name = folder + "tokenizer_config.json";
  const std::string map_name = folder + "special_tokens_map.json";
  const Json config_json = config.empty() ? empty : parse_json(config, config_name);
  const Json map_json = special_map.empty() ? empty : parse_json(special_map, map_name);
  const JsonView config_view(config_json, config_name + ": ");
  if (!config_json.is_object()) config_view.fail("expected an object");
  const std::vector<JsonView> files = {config_view, JsonView(map_json, map_name + ": ")};
  parts.bos = token_id(parts, files, "bos_token");
  parts.eos = token_id(parts, files, "eos_token");
  parts.pad = token_id(parts, files, "pad_token");
  parts.unk = token_id(parts, files, "unk_token");
  rebuild_post_processor(parts, config_view);
  parts.config = config;
  parts.jinja = jinja_of_config(config_view);
}

void name_missing_tokens(TokenizerParts& parts, const Json& usual) {
  const std::vector<JsonView> files = {JsonView(usual, "the converted tokenizer: ")};
  if (!parts.bos) parts.bos = token_id(parts, files, "bos_token");
  if (!parts.eos) parts.eos = token_id(parts, files, "eos_token");
  if (!parts.pad) parts.pad = token_id(parts, files, "pad_token");
  if (!parts.unk) parts.unk = token_id(parts, files, "unk_token");
}

}  // namespace plumb
