// The rows of the table in core/io/family.cpp, a file each.
#pragma once
#include "core/io/family.h"

namespace plumb {

extern const Family kLlama, kMistral, kFalcon, kGpt2, kGptNeoX, kQwen2, kQwen3, kPhi3, kGemma2,
    kGemma, kT5;

}  // namespace plumb
