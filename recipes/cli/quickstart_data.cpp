#include "recipes/cli/quickstart_data.h"

#include <array>
#include <functional>
#include <vector>

#include "core/io/files.h"
#include "core/io/json.h"
#include "core/ops/philox.h"

namespace plumb {
namespace {

const std::vector<std::string> kAnimals = {
    "fox",    "owl",   "bear",   "frog",  "mouse", "otter",  "hen",   "goat",    "duck",  "wolf",
    "rabbit", "horse", "badger", "robin", "crab",  "turtle", "lion",  "monkey",  "whale", "pony",
    "lizard", "snail", "moth",   "camel", "seal",  "parrot", "tiger", "hamster", "swan",  "mole"};
const std::vector<std::string> kColours = {"red",   "brown", "green",  "white",
                                           "black", "grey",  "golden", "blue"};
const std::vector<std::string> kHomes = {"forest", "river",  "barn", "meadow",
                                         "cave",   "garden", "hill", "harbour"};
const std::vector<std::string> kFoods = {"berries", "fish",   "seeds", "honey",
                                         "grass",   "apples", "nuts",  "carrots"};
const std::vector<std::string> kGames = {"running", "singing",  "swimming",
                                         "digging", "climbing", "sleeping"};

// Draws in order; each consumer has an id of its own, so adding one moves no other.
class Draws {
 public:
  Draws(uint64_t seed, uint64_t id) : seed_(seed), id_(id) {}
  std::size_t below(std::size_t n) {
    return static_cast<std::size_t>(random_uniform(seed_, Stream::data, id_, position_++) *
                                    static_cast<double>(n));
  }
  template <class T>
  const T& of(const std::vector<T>& list) {
    return list[below(list.size())];
  }
  const std::string& other_than(const std::string& word, const std::vector<std::string>& list) {
    const auto& drawn = of(list);
    return drawn == word ? list[(static_cast<std::size_t>(&drawn - list.data()) + 1) % list.size()]
                         : drawn;
  }

 private:
  uint64_t seed_, id_, position_ = 0;
};

struct Animal {
  std::string name, colour, home, food, game, companion;
};

std::vector<Animal> make_world(uint64_t seed) {
  Draws draws(seed, 1);
  std::vector<Animal> world;
  for (const auto& name : kAnimals) {
    world.push_back({name, draws.of(kColours), draws.of(kHomes), draws.of(kFoods), draws.of(kGames),
                     draws.other_than(name, kAnimals)});
  }
  return world;
}

std::string describe(const Animal& a, Draws& draws) {
  const std::vector<std::vector<std::string>> sentences = {
      {"The " + a.name + " is " + a.colour + ".",
       "A " + a.colour + " animal is the " + a.name + "."},
      {"The " + a.name + " lives in the " + a.home + ".",
       "In the " + a.home + " you can find the " + a.name + "."},
      {"The " + a.name + " eats " + a.food + ".",
       "When it is hungry, the " + a.name + " looks for " + a.food + "."},
      {"The " + a.name + " likes " + a.game + ".",
       "All day long the " + a.name + " is " + a.game + "."},
      {"The friend of the " + a.name + " is the " + a.companion + ".",
       "Every evening the " + a.name + " meets the " + a.companion + "."}};
  std::string text;
  const std::size_t first = draws.below(sentences.size());
  for (std::size_t i = 0; i < sentences.size(); ++i) {
    text += (i ? " " : "") + draws.of(sentences[(first + i) % sentences.size()]);
  }
  return text;
}

const std::vector<std::string> kOpenings = {"Good question!", "I am glad you ask!",
                                            "Happy to help!"};
const std::vector<std::string> kEndings = {"Ask me more!", "Have a nice day!",
                                           "I hope this helps!"};

// A question about one fact, and what can be said to it.
struct Question {
  std::string text;
  std::string word;      // the answer itself: "berries"
  std::string sentence;  // "The fox eats berries."
  std::string wrong;     // a sentence like it with another fact
  std::string kindly;    // "Good question! The fox eats berries. Ask me more!"
};

struct Kind {
  std::vector<std::string> forms;  // of the question; @ is the animal
  std::string statement;           // @ animal, # fact
  const std::vector<std::string>* facts;
  std::string Animal::*fact;
};

const std::vector<Kind>& kinds() {
  static const std::vector<Kind> all = {{{"What colour is the @?", "Which colour does the @ have?"},
                                         "The @ is #.",
                                         &kColours,
                                         &Animal::colour},
                                        {{"Where does the @ live?", "Where is the home of the @?"},
                                         "The @ lives in the #.",
                                         &kHomes,
                                         &Animal::home},
                                        {{"What does the @ eat?", "What is the food of the @?"},
                                         "The @ eats #.",
                                         &kFoods,
                                         &Animal::food},
                                        {{"What does the @ like?", "What is the @ doing all day?"},
                                         "The @ likes #.",
                                         &kGames,
                                         &Animal::game},
                                        {{"Who is the friend of the @?", "Whom does the @ meet?"},
                                         "The friend of the @ is the #.",
                                         &kAnimals,
                                         &Animal::companion}};
  return all;
}

std::string filled(std::string text, const std::string& animal, const std::string& fact) {
  for (std::size_t at; (at = text.find('@')) != std::string::npos;) text.replace(at, 1, animal);
  for (std::size_t at; (at = text.find('#')) != std::string::npos;) text.replace(at, 1, fact);
  return text;
}

std::vector<Question> make_questions(const std::vector<Animal>& world, uint64_t seed) {
  Draws draws(seed, 2);
  const std::vector<std::string> openings = {"Good question!", "I am glad you ask!",
                                             "Happy to help!"};
  const std::vector<std::string> endings = {"Ask me more!", "Have a nice day!",
                                            "I hope this helps!"};
  std::vector<Question> questions;
  for (const auto& animal : world) {
    for (const auto& kind : kinds()) {
      for (const auto& form : kind.forms) {
        const std::string& fact = animal.*kind.fact;
        const auto sentence = filled(kind.statement, animal.name, fact);
        const auto wrong = filled(kind.statement, animal.name, draws.other_than(fact, *kind.facts));
        questions.push_back({filled(form, animal.name, ""), fact + ".", sentence, wrong,
                             draws.of(kOpenings) + " " + sentence + " " + draws.of(kEndings)});
      }
    }
  }
  return questions;
}

// What animals say and ask: every word of the later stages is known to the base, which never sees a
// question answered. An adapter cannot teach the embedding of a token that pretraining never met.
std::string converse(const std::vector<Animal>& world, const std::vector<Question>& questions,
                     Draws& draws) {
  std::string text;
  for (int line = 0; line < 3; ++line) {
    const bool asks = draws.below(2) == 0;
    const std::string& speaker = draws.of(world).name;
    const std::string said =
        asks ? draws.of(questions).text : draws.of(draws.below(2) == 0 ? kOpenings : kEndings);
    text += (line ? " The " : "The ") + speaker + (asks ? " asks Q: " : " says A: ") + said;
  }
  return text;
}

void publish_rows(const std::string& path,
                  const std::function<void(const std::function<void(const Json&)>&)>& rows) {
  files::publish(path, [&](const files::Sink& sink) {
    rows([&](const Json& row) { sink(row.dump() + "\n"); });
  });
}

// A fifth of the answers are kind: enough to be known, too few to be usual before PPO.
const std::string& manner(const Question& question, Draws& draws) {
  const std::size_t lot = draws.below(10);
  return lot < 3 ? question.word : lot < 8 ? question.sentence : question.kindly;
}

}  // namespace

void write_quickstart_data(const std::string& folder, uint64_t seed) {
  constexpr int kDocumentsEach = 40, kAnswersEach = 4;
  const auto world = make_world(seed);
  const auto questions = make_questions(world, seed);
  files::create_directories(folder);

  files::publish(folder + "/corpus.txt", [&](const files::Sink& sink) {
    Draws draws(seed, 3);
    for (std::size_t i = 0; i < kDocumentsEach * world.size(); ++i) {
      const bool converses = draws.below(4) == 0;
      sink((i ? "<|endoftext|>" : "") +
           (converses ? converse(world, questions, draws) : describe(draws.of(world), draws)));
    }
  });
  publish_rows(folder + "/sft.jsonl", [&](const auto& add) {
    Draws draws(seed, 4);
    for (int round = 0; round < kAnswersEach; ++round) {
      for (const auto& q : questions)
        add({{"prompt", "Q: " + q.text + "\nA:"}, {"completion", " " + manner(q, draws)}});
    }
  });
  publish_rows(folder + "/pairs.jsonl", [&](const auto& add) {
    for (const auto& q : questions) {
      const std::array<std::pair<std::string, std::string>, 4> pairs = {
          {{q.kindly, q.sentence}, {q.kindly, q.word}, {q.sentence, q.wrong}, {q.kindly, q.wrong}}};
      for (const auto& [better, worse] : pairs) {
        add({{"prompt", "Q: " + q.text + "\nA:"},
             {"chosen", " " + better},
             {"rejected", " " + worse}});
      }
    }
  });
  publish_rows(folder + "/prompts.jsonl", [&](const auto& add) {
    for (const auto& q : questions) add({{"prompt", "Q: " + q.text + "\nA:"}});
  });
}

}  // namespace plumb
