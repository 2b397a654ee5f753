// Owns all values of one rendering and counts what making them costs.
#pragma once
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/text/jinja/callable.h"
#include "core/text/jinja/limits.h"
#include "core/text/jinja/value.h"

namespace plumb::jinja {

class Heap {
 public:
  explicit Heap(const Limits& limits) : limits_(limits) {}
  Heap(const Heap&) = delete;
  Heap& operator=(const Heap&) = delete;

  const Limits& limits() const { return limits_; }

  // Each throws Fault when the rendering has made more than it may.
  Value text(TextBuilder& builder);
  Value text(std::string_view bytes, Origin origin = kTemplate);
  Value part(const TracedText& text, std::size_t begin, std::size_t end);  // by bytes
  Value markup(const Value& string, bool is_markup = true);                // a copy marked so
  Value sequence(SequenceType type, std::vector<Value> elements);
  Value list(std::vector<Value> elements) {
    return sequence(SequenceType::list, std::move(elements));
  }
  Value tuple(std::vector<Value> elements) {
    return sequence(SequenceType::tuple, std::move(elements));
  }
  Value dict(std::vector<std::pair<Value, Value>> entries = {});
  Value name_space(std::vector<std::pair<std::string, Value>> attributes);
  Value undefined(std::string message);
  Value callable(Callable callable);
  Loop* loop();
  Scope* scope(Scope* parent);

  void charge(std::size_t bytes);  // work in proportion to this many bytes is about to be done
  void step(std::int64_t count = 1);
  // What a string of this size, or `count` times it, would be refused for.
  void check_size(std::size_t bytes, std::size_t count = 1) const;
  void check_depth(int depth) const;  // of a value inside others

 private:
  Limits limits_;
  std::size_t work_ = 0;
  std::int64_t steps_ = 0;
  std::deque<TracedText> texts_;
  std::deque<Sequence> sequences_;
  std::deque<Dict> dicts_;
  std::deque<Namespace> namespaces_;
  std::deque<Undefined> undefined_;
  std::deque<Callable> callables_;
  std::deque<Loop> loops_;
  std::deque<Scope> scopes_;
};

}  // namespace plumb::jinja
