#include "core/ops/gemm.h"

#include <ATen/core/grad_mode.h>

#include "core/ops/check.h"
#include "core/ops/gemm_kernel.h"
#include "core/profile/span.h"

namespace plumb {
namespace {

gemm_kernel::Precision precision = gemm_kernel::Precision::f32;

at::Tensor block_of(const Gemm& gemm, const GemmTerm& term) {
  return gemm.out.narrow(0, term.row, term.a.size(0)).narrow(1, term.column, term.b.size(1));
}

void check_gemm(const Gemm& gemm) {
  check_shape(gemm.out, {-1, -1}, "gemm: out");
  const int64_t rows = gemm.out.size(0), columns = gemm.out.size(1);
  for (const GemmTerm& term : gemm.terms) {
    check_shape(term.a, {-1, -1}, "gemm: a");
    check_shape(term.b, {term.a.size(1), -1}, "gemm: b");
    check_same_type(term.a, gemm.out, "gemm: a");
    check_same_type(term.b, gemm.out, "gemm: b");
    if (term.row < 0 || term.column < 0 || term.row + term.a.size(0) > rows ||
        term.column + term.b.size(1) > columns) {
      throw Error("gemm: a product of " + std::to_string(term.a.size(0)) + " by " +
                  std::to_string(term.b.size(1)) + " at (" + std::to_string(term.row) + ", " +
                  std::to_string(term.column) + ") leaves the output of " + std::to_string(rows) +
                  " by " + std::to_string(columns));
    }
  }
  if (gemm.addend.defined()) {
    check_same_type(gemm.addend, gemm.out, "gemm: addend");
    if (gemm.addend.dim() == 1) {
      check_shape(gemm.addend, {columns}, "gemm: addend");
    } else {
      check_shape(gemm.addend, {rows, columns}, "gemm: addend");
    }
  }
}

void through_aten(const Gemm& gemm) {
  if (!gemm.addend.defined()) {
    gemm.out.zero_();
  } else if (!gemm.addend.is_same(gemm.out)) {
    gemm.out.copy_(gemm.addend);
  }
  for (const GemmTerm& term : gemm.terms) {
    block_of(gemm, term).addmm_(term.a, term.b, /*beta=*/1, gemm.scale);
  }
}

// A view whose rows or columns are dense, copied into one where they are not.
at::Tensor with_unit_stride(const at::Tensor& x) {
  return x.stride(0) == 1 || x.stride(1) == 1 ? x : x.contiguous();
}

gemm_kernel::View view_of(const at::Tensor& x) {
  return {x.const_data_ptr<float>(), x.stride(0), x.stride(1)};
}

// The kernel's problems and the copies that they point into.
struct Translation {
  std::vector<gemm_kernel::Problem> problems;
  std::vector<at::Tensor> kept;

  gemm_kernel::View keep(const at::Tensor& x) {
    kept.push_back(with_unit_stride(x));
    return view_of(kept.back());
  }

  void add(const Gemm& gemm) {
    if (gemm.out.numel() == 0) {
      return;
    }
    gemm_kernel::Problem problem{{},
                                 gemm.out.mutable_data_ptr<float>(),
                                 gemm.out.stride(0),
                                 gemm.out.stride(1),
                                 gemm.out.size(0),
                                 gemm.out.size(1)};
    problem.scale = static_cast<float>(gemm.scale);
    for (const GemmTerm& term : gemm.terms) {
      if (term.a.numel() > 0 && term.b.numel() > 0) {
        problem.terms.push_back({keep(term.a), keep(term.b), term.a.size(1), term.row,
                                 term.a.size(0), term.column, term.b.size(1)});
      }
    }
    if (gemm.addend.defined()) {
      const bool is_dense = gemm.addend.stride(-1) == 1;
      kept.push_back(is_dense ? gemm.addend : gemm.addend.contiguous());
      problem.addend = kept.back().const_data_ptr<float>();
      problem.addend_row = gemm.addend.dim() == 1 ? 0 : kept.back().stride(0);
    }
    problems.push_back(std::move(problem));
  }
};

double flops_of(const std::vector<Gemm>& all) {
  double flops = 0;
  for (const Gemm& one : all) {
    for (const GemmTerm& term : one.terms) {
      flops += 2.0 * static_cast<double>(term.a.numel()) * static_cast<double>(term.b.size(1));
    }
  }
  return flops;
}

}  // namespace

GemmPrecision gemm_precision() {
  return precision == gemm_kernel::Precision::f32 ? GemmPrecision::f32 : GemmPrecision::bf16;
}

void set_gemm_precision(GemmPrecision wanted) {
  if (wanted == GemmPrecision::bf16 && !gemm_kernel::multiplies_bf16()) {
    throw Error("products in bf16 need a CPU with AVX512-BF16 and a build for it; use f32");
  }
  precision =
      wanted == GemmPrecision::f32 ? gemm_kernel::Precision::f32 : gemm_kernel::Precision::bf16;
}

void gemm(const std::vector<Gemm>& all) {
  const profile::Span span("gemm", "", profile::is_on() ? flops_of(all) : 0);
  const at::NoGradGuard no_grad;
  Translation translation;
  for (const Gemm& one : all) {
    check_gemm(one);
    if (one.out.is_cpu() && one.out.scalar_type() == at::kFloat) {
      translation.add(one);
    } else {
      through_aten(one);
    }
  }
  gemm_kernel::run(translation.problems, precision);
}

at::Tensor product_of(const at::Tensor& a, const at::Tensor& b) {
  check_shape(a, {-1, -1}, "product_of: a");
  check_shape(b, {a.size(1), -1}, "product_of: b");
  const at::Tensor out = at::empty({a.size(0), b.size(1)}, a.options());
  gemm({{out, {{a, b}}}});
  return out;
}

}  // namespace plumb
