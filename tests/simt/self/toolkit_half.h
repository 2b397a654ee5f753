// Conversions as the CUDA toolkit's headers do them on a host, where there is a toolkit.
#pragma once
#include <cstdint>

namespace plumb::simt {

bool toolkit_has_half();
uint16_t toolkit_to_bfloat16(float value);
float toolkit_from_bfloat16(uint16_t bits);
uint16_t toolkit_to_half(float value);
float toolkit_from_half(uint16_t bits);

}  // namespace plumb::simt
