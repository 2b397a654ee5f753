#include "core/io/family.h"

#include <array>

#include "core/error.h"
#include "core/io/families/rows.h"

namespace plumb {
namespace {

constexpr std::array<const Family*, 11> kFamilies = {&kLlama,   &kMistral, &kFalcon, &kGpt2,
                                                     &kGptNeoX, &kQwen2,   &kQwen3,  &kPhi3,
                                                     &kGemma2,  &kGemma,   &kT5};

}  // namespace

std::span<const Family* const> families() {
  return kFamilies;
}

const Family* find_family(std::string_view model_type) {
  for (const Family* family : kFamilies) {
    if (family->model_type == model_type) return family;
  }
  return nullptr;
}

std::string family_names() {
  std::string names;
  for (const Family* family : kFamilies) {
    names += (names.empty() ? "" : ", ") + std::string(family->model_type);
  }
  return names;
}

const Family& family_of(const ModelConfig& config) {
  const Family* family = find_family(config.model_type);
  if (family != nullptr) return *family;
  throw Error("config.json: model_type '" + config.model_type + "' is not supported (" +
              family_names() + " are)");
}

}  // namespace plumb
