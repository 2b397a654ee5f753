// What the machine can do at best: `bench_ceiling gemm-f32 THREADS` (or gemm-bf16) reads lines
// "KIND M N K COUNT" (KIND nt, nn or tn: which operand is transposed, as forward, grad x and grad w
// have them) and prints the seconds of them all, each product timed alone and by the faster of
// ATen's kernel and ours; `bench_ceiling memory THREADS` prints bytes read a second from a block
// far beyond the caches.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <iostream>
#include <string>

#include "core/model/huge_pages.h"
#include "core/ops/decode_vec.h"
#include "core/ops/gemm.h"
#include "core/ops/spin_pool.h"

namespace {

constexpr int kRuns = 7;
constexpr double kShortest = 0.02;  // seconds a timing lasts at least

template <class Body>
double best_seconds(const Body& body) {
  using Clock = std::chrono::steady_clock;
  const auto run = [&body](int64_t times) {
    const auto begin = Clock::now();
    for (int64_t i = 0; i < times; ++i) body();
    return std::chrono::duration<double>(Clock::now() - begin).count();
  };
  run(1);
  const auto times = static_cast<int64_t>(kShortest / std::max(run(1), 1e-7)) + 1;
  double best = 1e9;
  for (int i = 0; i < kRuns; ++i) best = std::min(best, run(times) / static_cast<double>(times));
  return best;
}

struct Product {
  std::string kind;
  int64_t m, n, k, count;
};

double seconds_of(const Product& product, at::ScalarType type) {
  const auto random = [](int64_t rows, int64_t columns) { return at::randn({rows, columns}); };
  const at::Tensor a =
      product.kind == "tn" ? random(product.k, product.m).t() : random(product.m, product.k);
  const at::Tensor b =
      product.kind == "nt" ? random(product.n, product.k).t() : random(product.k, product.n);
  at::Tensor out = at::empty({product.m, product.n});
  const double ours = best_seconds([&] { plumb::gemm({{.out = out, .terms = {{a, b}}}}); });
  const at::Tensor typed_a = a.to(type), typed_b = b.to(type);
  at::Tensor typed_out = out.to(type);
  return std::min(ours, best_seconds([&] { at::mm_out(typed_out, typed_a, typed_b); }));
}

void gemm(plumb::GemmPrecision precision) {
  plumb::set_gemm_precision(precision);
  const auto type = precision == plumb::GemmPrecision::bf16 ? at::kBFloat16 : at::kFloat;
  Product product;
  double seconds = 0, operations = 0;
  while (std::cin >> product.kind >> product.m >> product.n >> product.k >> product.count) {
    const auto count = static_cast<double>(product.count);
    seconds += count * seconds_of(product, type);
    operations += count * 2.0 * static_cast<double>(product.m * product.n * product.k);
  }
  std::printf("{\"seconds\": %.6g, \"flops\": %.6g}\n", seconds, operations);
}

// Of whole groups of registers; the sum keeps the loads from being dropped.
float sum_of(const float* values, int64_t count) {
  using plumb::decode::kLanes;
  constexpr int kStreams = 4;
  plumb::decode::Vec sums[kStreams] = {};
  for (int64_t i = 0; i < count; i += kStreams * kLanes) {
    for (int s = 0; s < kStreams; ++s) sums[s] += plumb::decode::load(values + i + s * kLanes);
  }
  float sum = 0;
  for (const auto& lanes : sums) {
    for (int i = 0; i < kLanes; ++i) sum += lanes[i];
  }
  return sum;
}

void memory() {
  const int64_t threads = at::get_num_threads();
  const int64_t part = int64_t{1} << 27;                                       // 512 MiB of f32
  const at::Tensor block = plumb::on_huge_pages(at::empty({threads * part}));  // as weights lie
  block.fill_(1);
  at::Tensor sums = at::empty({threads});
  const double seconds = best_seconds([&] {
    plumb::spin_for(threads, 1, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        sums.mutable_data_ptr<float>()[i] = sum_of(block.const_data_ptr<float>() + i * part, part);
      }
    });
  });
  std::printf("{\"bytes_per_second\": %.6g, \"checksum\": %g}\n",
              static_cast<double>(threads * part) * sizeof(float) / seconds,
              sums.sum().item<float>() > 0 ? 1.0 : 0.0);
}

}  // namespace

int main(int count, char** arguments) {
  const std::string what = count == 3 ? arguments[1] : "";
  if (what != "gemm-f32" && what != "gemm-bf16" && what != "memory") {
    std::fprintf(stderr, "usage: bench_ceiling gemm-f32|gemm-bf16|memory THREADS\n");
    return 2;
  }
  at::set_num_threads(std::stoi(arguments[2]));
  if (what == "memory") {
    memory();
  } else {
    gemm(what == "gemm-bf16" ? plumb::GemmPrecision::bf16 : plumb::GemmPrecision::f32);
  }
}
