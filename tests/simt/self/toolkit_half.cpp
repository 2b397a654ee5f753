#include "tests/simt/self/toolkit_half.h"

#if __has_include(<cuda_bf16.h>) && __has_include(<cuda_fp16.h>)
#include <cuda_bf16.h>
#include <cuda_fp16.h>

namespace plumb::simt {

bool toolkit_has_half() {
  return true;
}
uint16_t toolkit_to_bfloat16(float value) {
  return __nv_bfloat16_raw(__float2bfloat16_rn(value)).x;
}
float toolkit_from_bfloat16(uint16_t bits) {
  __nv_bfloat16_raw raw;
  raw.x = bits;
  return __bfloat162float(__nv_bfloat16(raw));
}
uint16_t toolkit_to_half(float value) {
  return __half_raw(__float2half_rn(value)).x;
}
float toolkit_from_half(uint16_t bits) {
  __half_raw raw;
  raw.x = bits;
  return __half2float(__half(raw));
}

}  // namespace plumb::simt
#else
namespace plumb::simt {

bool toolkit_has_half() {
  return false;
}
uint16_t toolkit_to_bfloat16(float) {
  return 0;
}
float toolkit_from_bfloat16(uint16_t) {
  return 0;
}
uint16_t toolkit_to_half(float) {
  return 0;
}
float toolkit_from_half(uint16_t) {
  return 0;
}

}  // namespace plumb::simt
#endif
