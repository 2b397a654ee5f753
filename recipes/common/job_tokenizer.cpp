#include "recipes/common/job_tokenizer.h"

#include "core/io/files.h"
#include "core/text/chat_template.h"

namespace plumb {

std::string tokenizer_folder(const std::string& model_path, const std::string& adapter) {
  const bool brings_one = !adapter.empty() && files::exists(adapter + "/tokenizer.json");
  return brings_one ? adapter : model_path;
}

Tokenizer trained_tokenizer(const Tokenizer& tokenizer, const Accounting& used) {
  const std::string& word = used.chat_format;
  const bool is_plain_text = word.empty() || word == chat_format_name(ChatFormat::none);
  if (is_plain_text || word.starts_with("model")) return tokenizer;
  const std::string jinja = ChatTemplate::choose(word, tokenizer, "data.template").source();
  const auto own = ChatTemplate::own(tokenizer);
  return own && own->source() == jinja ? tokenizer : with_chat_template(tokenizer, jinja);
}

}  // namespace plumb
