#include <gtest/gtest.h>

#include <cstring>
#include <vector>

#include "core/ops/kernel_table.h"

namespace plumb {
namespace {

// The table is its size, then function pointers: none may be missing.
TEST(KernelTable, EveryEntryIsFilled) {
  const KernelTable* const table = plumb_kernel_table();
  ASSERT_EQ(table->bytes, static_cast<int64_t>(sizeof(KernelTable)));
  std::vector<void*> words(sizeof(KernelTable) / sizeof(void*));
  std::memcpy(words.data(), table, sizeof(KernelTable));
  for (size_t i = 1; i < words.size(); ++i) {
    EXPECT_NE(words[i], nullptr) << "entry " << i;
  }
}

}  // namespace
}  // namespace plumb
