#include "core/train/gradients.h"

#include <ATen/Parallel.h>

#include <cmath>

#include "core/error.h"

namespace plumb {
namespace {

constexpr int64_t kAlignment = 16;    // floats: 64 bytes, a cache line and an AVX-512 register
constexpr int64_t kNormBlock = 4096;  // fixed, so that the sum does not depend on threads

int64_t padded(int64_t count) {
  return (count + kAlignment - 1) / kAlignment * kAlignment;
}

double block_sum_of_squares(const float* values, int64_t count) {
  // Eight partial sums let the compiler vectorise without reordering a single running sum.
  double partial[8] = {};
  int64_t i = 0;
  for (; i + 8 <= count; i += 8) {
    for (int64_t j = 0; j < 8; ++j) {
      const double v = values[i + j];
      partial[j] += v * v;
    }
  }
  for (; i < count; ++i) partial[i % 8] += static_cast<double>(values[i]) * values[i];
  return ((partial[0] + partial[1]) + (partial[2] + partial[3])) +
         ((partial[4] + partial[5]) + (partial[6] + partial[7]));
}

}  // namespace

Gradients::Gradients(const std::vector<NamedTensor>& parameters) {
  int64_t total = 0;
  for (const auto& [name, tensor] : parameters) {
    if (tensor.scalar_type() != at::kFloat || !tensor.is_contiguous()) {
      throw Error("parameter '" + name + "' must be a contiguous f32 tensor to be trained, got " +
                  std::string(at::toString(tensor.scalar_type())));
    }
    total += padded(tensor.numel());
  }
  const at::Device device = parameters.empty() ? at::kCPU : parameters[0].tensor.device();
  flat_ = at::zeros({total}, at::dtype(at::kFloat).device(device));
  int64_t offset = 0;
  for (const auto& [name, tensor] : parameters) {
    names_.push_back(name);
    views_.push_back(flat_.narrow(0, offset, tensor.numel()).view(tensor.sizes()));
    tensor.mutable_grad() = views_.back();
    offset += padded(tensor.numel());
  }
}

void Gradients::zero() {
  flat_.zero_();
}

double Gradients::norm() const {
  const float* values = flat_.const_data_ptr<float>();
  const int64_t count = flat_.numel();
  std::vector<double> blocks((count + kNormBlock - 1) / kNormBlock);
  at::parallel_for(0, static_cast<int64_t>(blocks.size()), 16, [&](int64_t begin, int64_t end) {
    for (int64_t b = begin; b < end; ++b) {
      const int64_t start = b * kNormBlock;
      blocks[b] = block_sum_of_squares(values + start, std::min(kNormBlock, count - start));
    }
  });
  double sum = 0;
  for (double block : blocks) sum += block;
  return std::sqrt(sum);
}

void Gradients::scale(double factor) {
  flat_.mul_(factor);
}

std::string Gradients::first_non_finite() const {
  for (std::size_t i = 0; i < views_.size(); ++i) {
    if (!at::isfinite(views_[i]).all().item<bool>()) return names_[i];
  }
  return "";
}

std::vector<std::string> Gradients::all_zero() const {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < views_.size(); ++i) {
    if (!views_[i].any().item<bool>()) names.push_back(names_[i]);
  }
  return names;
}

std::string first_non_finite(const std::vector<NamedTensor>& tensors) {
  for (const auto& [name, tensor] : tensors) {
    if (at::isFloatingType(tensor.scalar_type()) && !at::isfinite(tensor).all().item<bool>()) {
      return name;
    }
  }
  return "";
}

}  // namespace plumb
