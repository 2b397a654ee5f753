// The template that a job was trained with stays with what it writes, through the binary.
#include <gtest/gtest.h>

#include "tests/recipes/plumb_runs.h"

namespace plumb::test {
namespace {

std::string template_of(const std::string& folder) {
  const Json config = read_json(folder + "/tokenizer_config.json");
  return config.value("chat_template", "");
}

std::string template_used(const Words& job) {
  const auto outcome = plumb_run(Words{"data", "prepare"} + job + Words{"--json"});
  must(outcome);
  return parse_json(outcome.out, "plumb data")["accounting"]["chat_format"];
}

TEST(ChatTemplates, AnAdapterCarriesTheTemplateThatItWasTrainedWith) {
  const auto& shop = workshop();
  EXPECT_EQ(template_of(shop.base()), "");
  must(plumb_run(shop.sft("chatml") + Words{"train.steps=2", "data.template=chatml"}));
  EXPECT_NE(template_of(shop.path("chatml/adapter")).find("<|im_end|>"), std::string::npos);

  // A job on the adapter reads it; one on the base alone has none to read.
  const Words rows = {"sft", "model.path=" + shop.base(),
                      "data.path=[" + shop.data() + "/sft.jsonl]",
                      "data.store=" + shop.path("store")};
  EXPECT_EQ(template_used(rows + Words{"model.adapter=" + shop.path("chatml/adapter")}), "chatml");
  EXPECT_NE(template_used(rows), "chatml");
}

TEST(ChatTemplates, AMergedExportCarriesItToo) {
  const auto& shop = workshop();
  must(plumb_run(shop.sft("alpaca") + Words{"train.steps=2", "data.template=alpaca"}));
  must(plumb_run({"export", shop.base(), "--adapter", shop.path("alpaca/adapter"), "--format", "hf",
                  "--out", shop.path("alpaca_merged")}));
  EXPECT_NE(template_of(shop.path("alpaca_merged")).find("### Response:"), std::string::npos);
}

}  // namespace
}  // namespace plumb::test
