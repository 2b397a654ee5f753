// Sampling: the log-probability of the token that the CPU's sampler draws from the same row.
#include "bench/kernels/kernel_case.h"
#include "core/ops/philox.h"
#include "core/ops/sampling.h"

namespace plumb::kernels {
namespace {

constexpr uint64_t kSeed = 77;

struct Shape {
  int64_t rows, vocab;
};
constexpr Shape kShapes[] = {{2, 4096}, {1, 49152}, {1, 128256}, {2, 5003}};

struct Named {
  const char* name;
  SamplingFilters filters;
};
const Named kFilters[] = {
    {"", {}}, {" top-k 50, top-p 0.95", {.temperature = 0.8, .top_k = 50, .top_p = 0.95}}};

at::Tensor drawn_ids(const at::Tensor& logits, const SamplingFilters& filters) {
  const at::Tensor wide = logits.to(at::kFloat).contiguous();
  SamplingScratch scratch;
  std::vector<int64_t> ids;
  for (int64_t row = 0; row < wide.size(0); ++row) {
    const auto vocab = static_cast<size_t>(wide.size(1));
    const SamplingRow of{
        .logits = {wide.data_ptr<float>() + row * wide.size(1), vocab},
        .seen = {},
        .banned = {},
        .uniform = random_uniform(kSeed, Stream::sampling, static_cast<uint64_t>(row), 5)};
    ids.push_back(draw_token(filters, of, scratch).id);
  }
  return longs(ids);
}

KernelCase sample(const Shape& shape, at::ScalarType dtype, const Named& by_filters) {
  const SamplingFilters filters = by_filters.filters;
  KernelCase one{.kernel = std::string("sample_tokens") + by_filters.name,
                 .shape = by({shape.rows, shape.vocab}),
                 .dtype = dtype,
                 .growth = 64.0 / static_cast<double>(shape.rows),
                 .predicted_for = "64 rows"};
  one.inputs = {normal({shape.rows, shape.vocab}, dtype, 160, 3.0),
                at::arange(shape.rows, at::kLong), at::full({shape.rows}, 5, at::kLong)};
  one.floor = bytes_of(one.inputs[0]) + static_cast<double>(shape.rows * (16 + 8));
  one.inputs.push_back(drawn_ids(one.inputs[0], filters));
  one.aten = [filters](const Tensors& in) -> Tensors {
    const at::Tensor log_p = at::log_softmax(widened(in[0]) / filters.temperature, -1);
    return {log_p.gather(-1, in[3].unsqueeze(-1)).squeeze(-1), in[3].to(log_p.scalar_type())};
  };
  one.prepare = [shape, filters](const KernelTable& table, const Tensors& in,
                                 const Place& place) -> Prepared {
    const at::Tensor ids = place.empty({shape.rows}, at::kInt),
                     logprobs = place.empty({shape.rows}, at::kFloat);
    const SampleTokens op{.ids = ids.data_ptr<int32_t>(),
                          .logprobs = logprobs.data_ptr<float>(),
                          .logits = in[0].data_ptr(),
                          .sample_ids = reinterpret_cast<const uint64_t*>(in[1].data_ptr()),
                          .positions = in[2].data_ptr<int64_t>(),
                          .rows = shape.rows,
                          .vocab = shape.vocab,
                          .row_stride = shape.vocab,
                          .seed = kSeed,
                          .filters = filters,
                          .dtype = kernel_dtype_of(in[0])};
    return {[&table, op] { table.sample_tokens(op, nullptr); }, {logprobs, ids}};
  };
  return one;
}

}  // namespace

std::vector<KernelCase> sampling_cases(Size size) {
  std::vector<KernelCase> cases;
  for (const at::ScalarType dtype : kDtypes) {
    for (Shape shape : kShapes) {
      shape.rows = size == Size::model ? 64 : shape.rows;
      for (const Named& filters : kFilters) {
        cases.push_back(sample(shape, dtype, filters));
      }
    }
  }
  return cases;
}

}  // namespace plumb::kernels
