// An NF4 weight of a test: made-up codes on the host, its arrays on the device.
#pragma once
#include <vector>

#include "core/ops/dynamic_map.h"
#include "core/ops/nf4_kernel.h"
#include "tests/simt/device_buffer.h"

namespace plumb::simt {

struct Nf4Codes {
  explicit Nf4Codes(int64_t count)
      : codes((count + 1) / 2),
        scale_codes(nf4_blocks(count)),
        scale_absmax((nf4_blocks(count) + 255) / 256, 0.01f) {
    for (size_t i = 0; i < codes.size(); ++i) {
      codes[i] = static_cast<uint8_t>(61 * i + i / 7);
    }
    for (size_t i = 0; i < scale_codes.size(); ++i) {
      scale_codes[i] = static_cast<uint8_t>(83 * i + 5);
    }
  }
  std::vector<uint8_t> codes, scale_codes;
  std::vector<float> scale_absmax;
};

inline std::vector<float> signed_map() {
  const auto map = dynamic_map(true);
  return {map.begin(), map.end()};
}

struct Nf4Device {
  // To be written by a kernel.
  explicit Nf4Device(int64_t count)
      : codes((count + 1) / 2, "codes"),
        scale_codes(nf4_blocks(count), "scale_codes"),
        scale_absmax((nf4_blocks(count) + 255) / 256, "scale_absmax"),
        offset(1, "offset"),
        map(signed_map(), "map"),
        weight(of(count)) {}
  Nf4Device(const std::vector<uint8_t>& codes_in, const std::vector<uint8_t>& scale_codes_in,
            const std::vector<float>& scale_absmax_in, float offset_in, int64_t count)
      : codes(codes_in, "codes"),
        scale_codes(scale_codes_in, "scale_codes"),
        scale_absmax(scale_absmax_in, "scale_absmax"),
        offset(std::vector<float>{offset_in}, "offset"),
        map(signed_map(), "map"),
        weight(of(count)) {}
  Nf4Weight of(int64_t count) {
    return {codes.data(),  scale_codes.data(), scale_absmax.data(),
            offset.data(), map.data(),         count};
  }
  DeviceBuffer<uint8_t> codes, scale_codes;
  DeviceBuffer<float> scale_absmax, offset, map;
  Nf4Weight weight;
};

}  // namespace plumb::simt
