// What a user gets wrong: the message names the place, the rule and what to do; the status says
// which kind it was; nothing is left half-written.
#include <gtest/gtest.h>

#include "tests/recipes/plumb_runs.h"

namespace plumb::test {
namespace {

struct BadCase {
  std::string name;
  Words words;
  int status;
  std::vector<std::string> said;  // parts of the message
};

void expect_refused(const BadCase& bad) {
  const auto outcome = plumb_run(bad.words);
  EXPECT_EQ(outcome.status, bad.status) << bad.name << "\n" << outcome.err;
  for (const auto& part : bad.said)
    EXPECT_NE(outcome.err.find(part), std::string::npos) << bad.name << ": " << outcome.err;
  EXPECT_EQ(outcome.out, "") << bad.name;
}

std::string write(const std::string& name, const std::string& text) {
  const auto path = workshop().path(name);
  files::publish(path, text);
  return path;
}

Words sft_on(const std::string& data, const std::string& out) {
  const auto& shop = workshop();
  return Words{"sft", "model.path=" + shop.base(), "data.path=[" + data + "]", "--out",
               shop.path(out)} +
         shop.common();
}

TEST(BadInput, CommandLine) {
  expect_refused({"command", {"stf"}, 2, {"'stf' is no command", "did you mean 'sft'?"}});
  expect_refused({"flag", {"tokenize", "x", "--jsn"}, 2, {"--jsn: no such flag", "--json"}});
  expect_refused({"no model", {"generate"}, 2, {"takes one MODEL folder"}});
  expect_refused({"missing folder", {"generate", "nowhere", "--greedy"}, 3, {"nowhere"}});
}

TEST(BadInput, RecipeKeys) {
  const auto& shop = workshop();
  const auto recipe = [](const std::string& name, const std::string& text) {
    return Words{"sft", write(name, text)};
  };
  expect_refused({"unknown",
                  recipe("a.yaml", "train:\n  bath_size: 3\n"),
                  2,
                  {"a.yaml:2", "bath_size", "batch_size"}});
  expect_refused(
      {"duplicate", recipe("b.yaml", "lora:\n  rank: 3\n  rank: 4\n"), 2, {"b.yaml:3", "rank"}});
  expect_refused({"type", recipe("c.yaml", "lora:\n  rank: many\n"), 2, {"c.yaml:2", "lora.rank"}});
  expect_refused(
      {"range", recipe("d.yaml", "lora:\n  dropout: 1.5\n"), 2, {"d.yaml:2", "lora.dropout"}});
  expect_refused({"required", {"sft", "model.path=" + shop.base()}, 2, {"data.path"}});
  expect_refused({"override", {"sft", "train.step=3"}, 2, {"train.step", "train.steps"}});
}

TEST(BadInput, Data) {
  expect_refused(
      {"malformed line",
       sft_on(write("bad.jsonl", "{\"prompt\": \"a\", \"completion\": \"b\"}\n{\"prompt\": \n"),
              "o1"),
       3,
       {"bad.jsonl:2"}});
  expect_refused({"missing column",
                  sft_on(write("col.jsonl", "{\"question\": \"a\"}\n"), "o2"),
                  3,
                  {"col.jsonl", "question"}});
  expect_refused({"empty", sft_on(write("empty.jsonl", ""), "o3"), 3, {"empty.jsonl"}});
  expect_refused({"absent", sft_on(workshop().path("none.jsonl"), "o4"), 3, {"none.jsonl"}});
  expect_refused(
      {"labels cut off",
       sft_on(write("cut.jsonl",
                    Json{{"prompt", std::string(2000, 'x')}, {"completion", "y"}}.dump() + "\n"),
              "o5"),
       3,
       {"cut.jsonl:1"}});
}

TEST(BadInput, ModelFiles) {
  const auto& shop = workshop();
  const auto broken = [&](const std::string& name,
                          const std::function<void(const std::string&)>& damage) {
    const auto folder = shop.path(name);
    std::filesystem::remove_all(folder);
    std::filesystem::copy(shop.base(), folder);
    damage(folder);
    return folder;
  };
  const auto truncated = broken("truncated", [](const std::string& folder) {
    const auto file = folder + "/model.safetensors";
    files::publish(file, files::read_file(file).substr(0, 5000));
  });
  expect_refused({"truncated", {"logits", truncated, "--ids", "1"}, 3, {"model.safetensors"}});
  const auto reshaped = broken("reshaped", [](const std::string& folder) {
    Json config = read_json(folder + "/config.json");
    config["intermediate_size"] = 48;
    files::publish(folder + "/config.json", config.dump());
  });
  expect_refused({"shapes", {"logits", reshaped, "--ids", "1"}, 3, {"gate_proj", "48", "64"}});
  const auto wider = broken("wider", [](const std::string& folder) {
    std::filesystem::remove(folder + "/model.safetensors");
  });
  expect_refused({"no weights", {"logits", wider, "--ids", "1"}, 3, {wider}});
  expect_refused(
      {"adapter as model", {"logits", shop.sft_adapter(), "--ids", "1"}, 2, {"--adapter"}});
}

TEST(BadInput, AnOutThatHoldsARunIsRefused) {
  const auto& shop = workshop();
  const auto outcome = plumb_run(shop.sft("sft") + Words{"train.steps=3"});
  EXPECT_EQ(outcome.status, 2);
  EXPECT_NE(outcome.err.find("--overwrite"), std::string::npos) << outcome.err;
}

TEST(BadInput, NonFiniteLossStopsBeforeTheUpdate) {
  const auto& shop = workshop();
  const auto outcome =
      plumb_run(shop.sft("diverged") + Words{"train.steps=50", "train.optimizer.lr=1e30",
                                             "train.optimizer.max_grad_norm=0"});
  EXPECT_EQ(outcome.status, 4) << outcome.err;
  EXPECT_NE(outcome.err.find("step"), std::string::npos) << outcome.err;
  EXPECT_FALSE(files::exists(shop.path("diverged") + "/adapter"));
}

}  // namespace
}  // namespace plumb::test
