#include "core/model/generate_device.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "core/ops/sampling_device.h"

namespace plumb {
namespace {

constexpr int64_t kMostRecorded = 256;

// What a row sends.
enum Field { kToken, kPosition, kSlot, kLength, kNextPosition, kSampleId, kIsBanning, kNumFields };

// Rows that a step of `rows` is computed with: of few sizes, so that few are recorded and tables by
// size stay few.
int64_t computed_rows(int64_t rows) {
  return static_cast<int64_t>(std::bit_ceil(static_cast<uint64_t>(rows)));
}

}  // namespace

DeviceDecode::DeviceDecode(const GenerateTask& task, int64_t num_slots, int64_t capacity)
    : task_(task),
      filters_(filters_of(task.sampling)),
      forward_(*task.decoder, task.device_weights ? *task.device_weights : own_weights_,
               task.adapter, num_slots, capacity) {
  const at::Device device = task.decoder->weights.embed_tokens.device();
  const int64_t rows = computed_rows(std::max(num_slots, kPromptRows));
  sent_ = at::zeros({kNumFields, rows}, at::kLong);
  received_ = sent_.to(device, /*non_blocking=*/false, /*copy=*/true);
  drawn_ = at::zeros({2, rows}, at::TensorOptions(at::kInt).device(device));
  if (task.sampling.min_new_tokens > 0 && !task.eos_ids.empty()) {
    const std::vector<int32_t> ids(task.eos_ids.begin(), task.eos_ids.end());
    banned_ = at::tensor(ids, at::kInt).to(device);
  }
  if (filters_.repetition_penalty != 1.0) {
    seen_ = at::zeros({num_slots + 1, seen_words(task.decoder->config.vocab_size)},
                      at::TensorOptions(at::kInt).device(device));
  }
}

void DeviceDecode::begin(int64_t slot, std::span<const int32_t> start) {
  if (!seen_.defined()) {
    return;
  }
  const at::Tensor bits = at::zeros({seen_.size(1)}, at::kInt);
  int32_t* const words = bits.mutable_data_ptr<int32_t>();
  for (const int32_t id : start) {
    words[id / 32] |= std::bit_cast<int32_t>(uint32_t{1} << (id % 32));
  }
  seen_.select(0, slot).copy_(bits);
}

// Rows beyond the step's are of no sequence: they write no keys and see none.
void DeviceDecode::send(const DecodeStep& step, std::span<const NextToken> next, int64_t rows) {
  const int64_t stride = sent_.size(1);
  int64_t* const fields = sent_.mutable_data_ptr<int64_t>();
  const auto set = [&](Field field, int64_t row, int64_t value) {
    fields[field * stride + row] = value;
  };
  for (int64_t n = 0; n < rows; ++n) {
    const bool is_real = n < step.size();
    const DecodeRow place = is_real ? step.rows[n] : DecodeRow{-1, 0};
    const NextToken drawn = is_real && !next.empty() ? next[n] : NextToken{};
    set(kToken, n, is_real ? step.tokens[n] : 0);
    set(kPosition, n, place.position);
    set(kSlot, n, place.slot);
    set(kLength, n, is_real ? place.position + 1 : 0);
    set(kNextPosition, n, drawn.position);
    set(kSampleId, n, static_cast<int64_t>(drawn.sample_id));
    set(kIsBanning, n, drawn.is_banning ? 1 : 0);
  }
  received_.copy_(sent_);
}

DeviceRows DeviceDecode::rows_of(int64_t rows) const {
  const auto field = [&](Field which) { return received_.select(0, which).narrow(0, 0, rows); };
  return {field(kToken), field(kPosition), field(kSlot), field(kLength)};
}

void DeviceDecode::fill(const DecodeStep& step) {
  const int64_t rows = computed_rows(step.size());
  send(step, {}, rows);
  forward_.fill(rows_of(rows));
}

// Of what was sent. Nothing here may wait for the host.
void DeviceDecode::run(int64_t rows) {
  const at::NoGradGuard no_grad;
  const DeviceRows places = rows_of(rows);
  const auto field = [&](Field which) { return received_.select(0, which).narrow(0, 0, rows); };
  DeviceDraw draw{.logits = forward_.run(places),
                  .sample_ids = field(kSampleId),
                  .positions = field(kNextPosition),
                  .seen = {},
                  .banned = banned_,
                  .is_banning = field(kIsBanning).to(at::kByte),
                  .seed = task_.seed,
                  .filters = filters_};
  at::Tensor marks;
  if (seen_.defined()) {
    marks = places.slots.remainder(seen_.size(0));  // -1 becomes the last
    draw.seen = seen_.index_select(0, marks);
  }
  const KernelTable& kernels = *kernels_for(draw.logits);
  device_sample(kernels, draw, drawn_.narrow(1, 0, rows));
  if (seen_.defined()) {
    seen_.index_copy_(0, marks, draw.seen);
  }
}

void DeviceDecode::draw(const DecodeStep& step, std::span<const NextToken> next,
                        std::span<DrawnToken> drawn) {
  const int64_t rows = computed_rows(step.size());
  send(step, next, rows);
  const auto recorded = graphs_.find(rows);
  if (recorded != graphs_.end()) {
    recorded->second.replay();
  } else if (rows <= kMostRecorded) {
    graphs_.emplace(rows, DeviceGraph(received_.device(), [this, rows] { run(rows); }));
  } else {
    run(rows);
  }
  const at::Tensor back = drawn_.cpu();
  const int32_t* const ids = back.const_data_ptr<int32_t>();
  const int32_t* const logprobs = ids + back.size(1);
  for (int64_t n = 0; n < step.size(); ++n) {
    if (ids[n] < 0) {
      fail_not_finite(next[n].sample_id, next[n].position);
    }
    drawn[n] = {ids[n], std::bit_cast<float>(logprobs[n])};
  }
}

}  // namespace plumb
