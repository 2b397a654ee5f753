// What the machine can do at best: `bench_ceiling gemm THREADS` reads lines "KIND M N K COUNT"
// (KIND nt, nn or tn: which operand is transposed, as forward, grad x and grad w have them) and
// prints the seconds of them all, each product timed alone; `bench_ceiling memory THREADS` prints
// bytes read a second from a block far beyond the caches.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <iostream>
#include <string>

#include "core/model/huge_pages.h"

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

double seconds_of(const Product& product) {
  const auto random = [](int64_t rows, int64_t columns) { return at::randn({rows, columns}); };
  const at::Tensor a =
      product.kind == "tn" ? random(product.k, product.m).t() : random(product.m, product.k);
  const at::Tensor b =
      product.kind == "nt" ? random(product.n, product.k).t() : random(product.k, product.n);
  at::Tensor out = at::empty({product.m, product.n});
  return best_seconds([&] { at::mm_out(out, a, b); });
}

void gemm() {
  Product product;
  double seconds = 0, operations = 0;
  while (std::cin >> product.kind >> product.m >> product.n >> product.k >> product.count) {
    const auto count = static_cast<double>(product.count);
    seconds += count * seconds_of(product);
    operations += count * 2.0 * static_cast<double>(product.m * product.n * product.k);
  }
  std::printf("{\"seconds\": %.6g, \"flops\": %.6g}\n", seconds, operations);
}

void memory() {
  const int64_t count = int64_t{1} << 28;                             // 1 GiB of f32
  const at::Tensor block = plumb::on_huge_pages(at::empty({count}));  // as weights lie
  block.fill_(1);
  const float* values = block.const_data_ptr<float>();
  double total = 0;
  const double seconds = best_seconds([&] {
    total += at::parallel_reduce(
        0, count, count / at::get_num_threads(), 0.0f,
        [&](int64_t begin, int64_t end, float before) {
          float sum = 0;  // of its own: a parameter is not put into vectors
#pragma omp simd reduction(+ : sum)
          for (int64_t i = begin; i < end; ++i) sum += values[i];
          return before + sum;
        },
        [](float a, float b) { return a + b; });
  });
  std::printf("{\"bytes_per_second\": %.6g, \"checksum\": %g}\n",
              static_cast<double>(count) * sizeof(float) / seconds, total > 0 ? 1.0 : 0.0);
}

}  // namespace

int main(int count, char** arguments) {
  const std::string what = count == 3 ? arguments[1] : "";
  if (what != "gemm" && what != "memory") {
    std::fprintf(stderr, "usage: bench_ceiling gemm|memory THREADS\n");
    return 2;
  }
  at::set_num_threads(std::stoi(arguments[2]));
  what == "gemm" ? gemm() : memory();
}
