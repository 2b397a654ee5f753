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

// Refused data leave no run folder, so that the same command works once they are mended.
void expect_refused_without_trace(const BadCase& bad, const std::string& out) {
  expect_refused(bad);
  EXPECT_FALSE(files::exists(workshop().path(out))) << bad.name;
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

// Where a stage writes is its name below the run's folder: a name cannot lead out of it.
TEST(BadInput, StagesStayInTheRunsFolder) {
  for (const std::string name : {"../out", "/tmp/x", "a/b", "..", ".", "a b", "''", "\"a\\0\""}) {
    const auto recipe = write("stages.yaml", "stages:\n  - name: " + name + "\n    job: sft\n");
    const auto outcome = plumb_run({"run", recipe, "--out", workshop().path("stages-out")});
    EXPECT_EQ(outcome.status, 2) << name << outcome.err;
    EXPECT_NE(outcome.err.find("stages.yaml"), std::string::npos) << name << outcome.err;
  }
  EXPECT_FALSE(files::exists(workshop().path("stages-out")));
}

std::string prompt_and_completion(const std::string& prompt, const std::string& completion) {
  return Json{{"prompt", prompt}, {"completion", completion}}.dump() + "\n";
}

TEST(BadInput, Data) {
  const auto refuse = [](const std::string& name, const std::string& file, const std::string& text,
                         const Words& more, const std::vector<std::string>& said) {
    expect_refused_without_trace({name, sft_on(write(file, text), name) + more, 3, said}, name);
  };
  const std::string good = prompt_and_completion("a", "b"), longest(2000, 'x');
  refuse("malformed", "bad.jsonl", good + "{\"prompt\": \n", {}, {"bad.jsonl:2"});
  refuse("columns", "col.jsonl", "{\"question\": \"a\"}\n", {}, {"col.jsonl", "question"});
  refuse("empty", "empty.jsonl", "", {}, {"empty.jsonl"});
  refuse("cut", "cut.jsonl", prompt_and_completion(longest, "y"), {}, {"cut.jsonl:1"});
  refuse("long", "long.jsonl", good + prompt_and_completion("a", longest), {"data.too_long=error"},
         {"long.jsonl:2", "tokens", "96", "data.too_long"});
  expect_refused_without_trace(
      {"absent", sft_on(workshop().path("none.jsonl"), "absent"), 3, {"none.jsonl"}}, "absent");
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
  const auto rows = broken("rows", [](const std::string& folder) {
    Json config = read_json(folder + "/config.json");
    config["vocab_size"] = config["vocab_size"].get<int64_t>() + 7;
    files::publish(folder + "/config.json", config.dump());
  });
  expect_refused({"vocabulary", {"logits", rows, "--ids", "1"}, 3, {"embed_tokens"}});
  const auto empty = broken("empty", [](const std::string& folder) {
    std::filesystem::remove(folder + "/model.safetensors");
  });
  expect_refused({"no weights", {"logits", empty, "--ids", "1"}, 3, {empty}});
  expect_refused(
      {"adapter as model", {"logits", shop.sft_adapter(), "--ids", "1"}, 2, {"--adapter"}});
}

// Said before any data are looked at: there are none.
TEST(BadInput, ATextToTextModelForJobsOfWholeTexts) {
  const auto& shop = workshop();
  for (const std::string job : {"pretrain", "reward"}) {
    const std::string out = "t5-" + job;
    expect_refused_without_trace({job,
                                  Words{job, "model.path=tests/oracle/fixtures/gguf/t5",
                                        "data.path=[nowhere.jsonl]", "--out", shop.path(out)} +
                                      shop.common(),
                                  2,
                                  {"model.path", "text-to-text", "plumb " + job, "one stack"}},
                                 out);
  }
}

TEST(BadInput, AnAdapterForAnotherBase) {
  const auto& shop = workshop();
  must(plumb_run(Words{"pretrain", "data.path=[" + shop.data() + "/corpus.txt]",
                       "tokenizer.path=" + shop.base(), "architecture.hidden_size=16",
                       "architecture.intermediate_size=64", "architecture.num_hidden_layers=2",
                       "architecture.num_attention_heads=4", "architecture.num_key_value_heads=2",
                       "samples.count=0", "train.steps=1", "train.batch_size=2", "--out",
                       shop.path("narrow")} +
                 shop.common()));
  expect_refused(
      {"logits",
       {"logits", shop.path("narrow") + "/model", "--adapter", shop.sft_adapter(), "--ids", "1"},
       3,
       {"adapter_model.safetensors", "q_proj", "(R, 16)", "(4, 32)", "another base"}});
}

// A limit on file sizes stands for a disk that is full: room for the logs and for the tensors of a
// checkpoint, not for its optimizer.
TEST(BadInput, AFullDiskLeavesNoHalfCheckpoint) {
  const auto& shop = workshop();
  const std::string run = shop.path("full");
  Words limited = {"/bin/bash", "-c", "ulimit -f 160; exec \"$0\" \"$@\"", program()};
  const auto outcome = run_program(
      limited + shop.sft("full") +
      Words{"lora.rank=0", "train.steps=4", "train.checkpoint_every=2", "samples.count=0"});
  EXPECT_EQ(outcome.status, 1) << outcome.err;
  for (const char* part : {"optimizer.safetensors", "write failed", "File too large"})
    EXPECT_NE(outcome.err.find(part), std::string::npos) << outcome.err;
  EXPECT_TRUE(std::filesystem::is_empty(run + "/checkpoints"));
  EXPECT_FALSE(files::exists(run + "/model"));
  EXPECT_FALSE(files::exists(run + "/result.json"));
  // With room again the run goes to its end.
  must(plumb_run(shop.sft("full") +
                 Words{"lora.rank=0", "train.steps=4", "train.checkpoint_every=2", "--resume"}));
  EXPECT_EQ(metrics_of(run).size(), 4u);
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
