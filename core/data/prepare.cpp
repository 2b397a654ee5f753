#include "core/data/prepare.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "core/data/input_file.h"
#include "core/data/tokenise.h"
#include "core/error.h"
#include "core/io/files.h"
#include "core/io/hash.h"
#include "core/log.h"
#include "core/text/chat_template.h"

namespace plumb {
namespace {

// One set of files (those trained on, or those held out) and its store.
struct Source {
  const std::vector<std::string>* paths;
  std::int64_t max_length;
  std::string store;
  std::string key;
  std::vector<FileStamp> stamps;  // as they were when the key was made
};

std::int64_t effective_max_length(const DataOptions& options, const DataRequest& request) {
  if (request.context > 0 && options.max_length > request.context) {
    throw Error("data.max_length=" + std::to_string(options.max_length) +
                    " is more than the model's context of " + std::to_string(request.context) +
                    " tokens; lower it, or use a model with a longer context",
                Exit::usage);
  }
  const std::int64_t length = options.max_length > 0 ? options.max_length : request.context;
  if (length == 1) {
    throw Error("data.max_length=1 leaves no token to predict; use 2 or more", Exit::usage);
  }
  return length;
}

std::string store_folder(const DataOptions& options) {
  if (!options.store.empty()) return options.store;
  const char* cache = std::getenv("XDG_CACHE_HOME");
  if (cache != nullptr && *cache != '\0') return std::string(cache) + "/plumb/data";
  const char* home = std::getenv("HOME");
  if (home != nullptr && *home != '\0') return std::string(home) + "/.cache/plumb/data";
  throw Error(
      "there is no folder for tokenised data: neither XDG_CACHE_HOME nor HOME is set; set "
      "data.store",
      Exit::usage);
}

// The texts of all templates that the options may choose, and the date where one of them asks.
Json templates_of(const DataOptions& options, const Tokenizer& tokenizer) {
  Json json;
  std::vector<ChatTemplate> all;
  const bool is_auto = options.chat_template == "auto";
  if (!is_auto)
    all.push_back(ChatTemplate::choose(options.chat_template, tokenizer, "data.template"));
  if (const auto own = is_auto ? ChatTemplate::own(tokenizer) : std::nullopt) all.push_back(*own);
  if (is_auto && all.empty()) {
    for (const ChatFormat format : {ChatFormat::plain, ChatFormat::none}) {
      all.push_back(ChatTemplate::builtin(format, tokenizer));
    }
  }
  for (const ChatTemplate& chat : all) {
    json["texts"].push_back(chat.source());
    if (chat.depends_on_date()) json["date"] = chat.with_clock({options.template_date}).date();
  }
  return json;
}

// What, besides the contents of the files, decides the tokens.
Json recipe_of_tokens(const DataOptions& options, const Tokenizer& tokenizer, SampleKind kind,
                      std::int64_t max_length) {
  const ColumnOptions& c = options.columns;
  Json json;
  json["kind"] = sample_kind_name(kind);
  json["tokenizer"] = tokenizer.hash();
  json["format"] = options.format;
  json["columns"] = {c.text,     c.prompt, c.completion, c.messages, c.chosen,
                     c.rejected, c.margin, c.answer,     c.tools,    c.template_variables};
  json["template"] = options.chat_template;
  json["templates"] = templates_of(options, tokenizer);
  json["max_length"] = max_length;
  json["too_long"] = options.too_long;
  json["empty_labels"] = options.empty_labels;
  json["append_eos"] = options.append_eos;
  json["document_separator"] = options.document_separator;
  json["limit"] = options.limit;
  json["skip_bad"] = options.skip_bad;
  return json;
}

// The store's name holds where its data come from and how they are read; its key also what they
// were. So data that change take the place of their old store.
Source make_source(const std::vector<std::string>& paths, const DataOptions& options,
                   const Tokenizer& tokenizer, const DataRequest& request) {
  if (paths.empty()) throw Error("data.path names no file", Exit::usage);
  Source source{&paths, effective_max_length(options, request), {}, {}, {}};
  Json recipe = recipe_of_tokens(options, tokenizer, request.kind, source.max_length);
  if (request.is_text_to_text) recipe["text_to_text"] = true;
  for (const std::string& path : paths) {
    source.stamps.push_back(file_stamp(path));
    recipe["paths"].push_back(std::filesystem::absolute(path).lexically_normal().string());
  }
  const std::string name = hash_hex(recipe.dump()).substr(0, 16);
  std::string stem = std::filesystem::path(paths.front()).filename().string();
  stem = stem.substr(0, std::max<std::size_t>(stem.find('.'), 1));
  source.store = store_folder(options) + "/" + stem + "-" + sample_kind_name(request.kind) + "-" +
                 name + ".h5";
  recipe.erase("paths");
  for (const std::string& path : paths) recipe["contents"].push_back(hash_file(path));
  source.key = hash_hex(recipe.dump());
  return source;
}

void prepare(const Source& source, const DataOptions& options, const Tokenizer& tokenizer,
             const DataRequest& request) {
  const TokenisePlan plan{&options, source.paths, &tokenizer, &request, source.max_length};
  files::create_directories(std::filesystem::path(source.store).parent_path().string());
  write_store(source.store, source.key, request.kind, [&](const AddSample& add) {
    const Accounting accounting = tokenise(plan, add);
    for (std::size_t i = 0; i < source.paths->size(); ++i) {
      const std::string& path = source.paths->at(i);
      if (file_stamp(path) == source.stamps[i]) continue;
      throw Error(path + ": it was changed while it was read; start again when it is whole");
    }
    return accounting;
  });
}

std::shared_ptr<const Store> open_or_make(const std::vector<std::string>& paths,
                                          const DataOptions& options, const Tokenizer& tokenizer,
                                          const DataRequest& request, bool& was_ready) {
  const Source source = make_source(paths, options, tokenizer, request);
  const auto fault = Store::find_fault(source.store, source.key);
  was_ready = !fault;
  if (fault) {
    if (files::exists(source.store)) log::warning(*fault + "; it is made again");
    prepare(source, options, tokenizer, request);
  }
  return std::make_shared<const Store>(Store::open(source.store, source.key));
}

std::vector<std::int64_t> all_samples(const Store& store) {
  std::vector<std::int64_t> samples(static_cast<std::size_t>(store.num_samples()));
  for (std::size_t i = 0; i < samples.size(); ++i) samples[i] = static_cast<std::int64_t>(i);
  return samples;
}

// What is trained on and what is held out; `held_out` null: see validation_fraction.
PreparedData divided(const std::shared_ptr<const Store>& store,
                     const std::shared_ptr<const Store>& held_out, const DataOptions& options,
                     std::uint64_t seed, bool was_ready) {
  if (held_out) {
    return {Dataset(store, all_samples(*store)), Dataset(held_out, all_samples(*held_out)),
            was_ready};
  }
  if (options.validation_fraction <= 0.0) {
    return {Dataset(store, all_samples(*store)), std::nullopt, was_ready};
  }
  Split split = split_samples(*store, options.validation_fraction, seed);
  return {Dataset(store, std::move(split.train)), Dataset(store, std::move(split.validation)),
          was_ready};
}

}  // namespace

std::string store_path(const DataOptions& options, const Tokenizer& tokenizer,
                       const DataRequest& request) {
  return make_source(options.path, options, tokenizer, request).store;
}

PreparedData open_or_prepare(const DataOptions& options, const Tokenizer& tokenizer,
                             const DataRequest& request) {
  bool was_ready = false, validation_was_ready = true;
  const auto store = open_or_make(options.path, options, tokenizer, request, was_ready);
  std::shared_ptr<const Store> held_out;
  if (!options.validation.empty()) {
    held_out = open_or_make(options.validation, options, tokenizer, request, validation_was_ready);
  }
  return divided(store, held_out, options, request.seed, was_ready && validation_was_ready);
}

std::optional<PreparedData> open_if_ready(const DataOptions& options, const Tokenizer& tokenizer,
                                          const DataRequest& request) {
  const auto open = [&](const std::vector<std::string>& paths) -> std::shared_ptr<const Store> {
    const Source source = make_source(paths, options, tokenizer, request);
    if (Store::find_fault(source.store, source.key)) return nullptr;
    return std::make_shared<const Store>(Store::open(source.store, source.key));
  };
  const auto store = open(options.path);
  const auto held_out = options.validation.empty() ? nullptr : open(options.validation);
  if (!store || (!options.validation.empty() && !held_out)) return std::nullopt;
  return divided(store, held_out, options, request.seed, true);
}

}  // namespace plumb
