// What GenerateBatch asks of who computes: a device's side (generate_host.h has the same
// functions). A step, its forward pass and its draws, is recorded once for each number of rows (1,
// 2, 4, ... 256; a step of fewer takes the next) and replayed: the host sends a table of places,
// and reads the drawn tokens.
#pragma once
#include <cstdint>
#include <map>
#include <span>

#include "core/model/device_forward.h"
#include "core/model/generate.h"
#include "core/model/generate_host.h"
#include "core/ops/device_graph.h"

namespace plumb {

class DeviceDecode {
 public:
  static constexpr int64_t kPromptRows = 512;

  // capacity: positions that a sequence may take.
  DeviceDecode(const GenerateTask& task, int64_t num_slots, int64_t capacity);

  void begin(int64_t slot, std::span<const int32_t> start);
  void read_source(std::span<const int32_t>, int64_t) {}  // such models were refused
  void reserve(int64_t) {}                                // all is there from the beginning
  void copy(int64_t from_slot, int64_t to_slot, int64_t positions) {
    forward_.copy(from_slot, to_slot, positions);
  }

  void fill(const DecodeStep& step);
  void draw(const DecodeStep& step, std::span<const NextToken> next, std::span<DrawnToken> drawn);

 private:
  void send(const DecodeStep& step, std::span<const NextToken> next, int64_t rows);
  DeviceRows rows_of(int64_t rows) const;
  void run(int64_t rows);

  const GenerateTask& task_;
  SamplingFilters filters_;
  DeviceWeights own_weights_;  // f32, where the task brings none
  DeviceForward forward_;
  at::Tensor sent_;      // (fields, rows) int64 on the host
  at::Tensor received_;  // the same on the device
  at::Tensor banned_;    // int32; undefined: nothing is ever banned
  at::Tensor seen_;   // (slots and one of no sequence, words) int32 of bits; undefined: no penalty
  at::Tensor drawn_;  // (2, rows) int32
  std::map<int64_t, DeviceGraph> graphs_;  // by rows
};

}  // namespace plumb
