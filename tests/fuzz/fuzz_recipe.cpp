// Any text: a recipe whose resolved form reads back to the same, or plumb::Error.
#include <cstdlib>

#include "core/error.h"
#include "tests/core/io/recipe_example.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  plumb::ExampleRecipe recipe;
  try {
    plumb::read_recipe_text(text, "fuzz", plumb::FieldList::of(recipe));
  } catch (const plumb::Error&) {
    try {
      plumb::apply_overrides({text}, plumb::FieldList::of(recipe));
    } catch (const plumb::Error&) {
      return 0;
    }
  }
  // What was accepted must survive being written, with and without comments.
  plumb::ExampleRecipe again;
  plumb::read_recipe_text(plumb::resolved_yaml(plumb::FieldList::of(recipe)), "resolved",
                          plumb::FieldList::of(again));
  if (!(again == recipe)) std::abort();
  plumb::ExampleRecipe commented;
  plumb::read_recipe_text(plumb::commented_yaml(plumb::FieldList::of(recipe)), "commented",
                          plumb::FieldList::of(commented));
  if (!(commented == recipe)) std::abort();
  return 0;
}
