#include "core/io/dtype.h"

#include <algorithm>
#include <array>

namespace plumb {
namespace {

struct Row {
  Dtype dtype;
  std::string_view name;
  std::size_t size;
};

// In the order of the enum.
constexpr std::array<Row, 10> kRows = {{{Dtype::f64, "F64", 8},
                                        {Dtype::f32, "F32", 4},
                                        {Dtype::f16, "F16", 2},
                                        {Dtype::bf16, "BF16", 2},
                                        {Dtype::i64, "I64", 8},
                                        {Dtype::i32, "I32", 4},
                                        {Dtype::i16, "I16", 2},
                                        {Dtype::i8, "I8", 1},
                                        {Dtype::u8, "U8", 1},
                                        {Dtype::boolean, "BOOL", 1}}};

const Row& row_of(Dtype dtype) {
  return kRows.at(static_cast<std::size_t>(dtype));
}

}  // namespace

std::string_view dtype_name(Dtype dtype) {
  return row_of(dtype).name;
}

std::size_t dtype_size(Dtype dtype) {
  return row_of(dtype).size;
}

std::optional<Dtype> dtype_of(std::string_view name) {
  const auto row = std::find_if(kRows.begin(), kRows.end(),
                                [&](const Row& known) { return known.name == name; });
  if (row == kRows.end()) return std::nullopt;
  return row->dtype;
}

}  // namespace plumb
