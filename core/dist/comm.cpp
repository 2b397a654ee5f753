#include "core/dist/comm.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <torch/csrc/distributed/c10d/Backend.hpp>
#include <torch/csrc/distributed/c10d/Store.hpp>
#include <utility>

#include "core/cuda/open.h"
#include "core/dist/gloo_group.h"
#include "core/dist/rank_status.h"
#include "core/error.h"

namespace plumb {
namespace {

constexpr std::int64_t kBucketBytes = std::int64_t{64} << 20;

std::chrono::milliseconds milliseconds(double seconds) {
  return std::chrono::milliseconds(static_cast<std::int64_t>(seconds * 1000));
}

std::string seconds_since(std::chrono::steady_clock::time_point start) {
  const std::chrono::duration<double> passed = std::chrono::steady_clock::now() - start;
  char text[32];
  std::snprintf(text, sizeof text, "%.2f s", passed.count());
  return text;
}

// c10's messages carry a stack after the first line.
std::string first_line(const char* message) {
  return std::string(message, std::strcspn(message, "\n"));
}

at::Tensor bytes_tensor(const std::string& bytes) {
  at::Tensor tensor = at::empty({static_cast<std::int64_t>(bytes.size())}, at::kByte);
  std::memcpy(tensor.data_ptr(), bytes.data(), bytes.size());
  return tensor;
}

std::string bytes_of(const at::Tensor& tensor) {
  return {static_cast<const char*>(tensor.const_data_ptr()),
          static_cast<std::size_t>(tensor.numel())};
}

}  // namespace

struct Comm::Group {
  c10::intrusive_ptr<c10d::Store> store;
  c10::intrusive_ptr<c10d::Backend> gloo;
  c10::intrusive_ptr<c10d::Backend> nccl;  // null: CPU tensors alone
  std::chrono::milliseconds timeout;

  c10d::Backend& of(const at::Tensor& tensor) const {
    if (tensor.is_cpu()) return *gloo;
    if (nccl != nullptr && tensor.is_cuda()) return *nccl;
    throw Error("Comm: a tensor on " + tensor.device().str() + " needs backend nccl, and this is " +
                    (nccl == nullptr ? "gloo" : "for CUDA"),
                Exit::failed);
  }
};

namespace {

void check_backend(const CommOptions& options) {
  if (options.backend != "gloo" && options.backend != "nccl") {
    throw Error("Comm: backend \"" + options.backend + "\": must be gloo or nccl", Exit::usage);
  }
  if (options.backend == "nccl" && cuda_plugin() == nullptr) {
    throw Error(
        "Comm: backend nccl comes with libplumb_cuda.so, which is not open; run with "
        "device cuda, or take backend gloo",
        Exit::usage);
  }
}

c10::intrusive_ptr<c10d::Backend> connect_nccl(const RankEnv& env,
                                               const c10::intrusive_ptr<c10d::Store>& store,
                                               std::chrono::milliseconds timeout) {
  if (cuda_plugin()->connect_nccl == nullptr) {
    throw Error(
        "Comm: libplumb_cuda.so was built without NCCL's header (nccl.h); ./bootstrap.sh build "
        "--cuda installs it and builds anew, or run one rank",
        Exit::usage);
  }
  return cuda_plugin()->connect_nccl(store, env.rank, env.world_size, timeout);
}

}  // namespace

std::unique_ptr<Comm> Comm::create(const RankEnv& env, const CommOptions& options) {
  check_backend(options);
  return std::unique_ptr<Comm>(new Comm(env, options));
}

Comm::Comm(const RankEnv& env, const CommOptions& options)
    : rank_(env.rank),
      world_size_(env.world_size),
      timeout_seconds_(options.timeout_seconds),
      verify_calls_(options.verify_calls) {
  if (world_size_ == 1) return;
  report_collective("rendezvous", 0);
  const auto start = std::chrono::steady_clock::now();
  const auto timeout = milliseconds(timeout_seconds_);
  group_ = std::make_unique<Group>();
  try {
    group_->store = connect_store(env, timeout);
    group_->gloo = connect_gloo(env, group_->store, timeout);
    if (options.backend == "nccl") {
      group_->nccl = connect_nccl(env, group_->store, timeout);
    }
  } catch (const Error&) {
    throw;
  } catch (const std::exception& error) {
    report_lost_peer();
    throw Error("rank " + std::to_string(rank_) + ": the " + std::to_string(world_size_) +
                    " ranks did not meet at " + env.master_addr + " port " +
                    std::to_string(env.master_port) + " (after " + seconds_since(start) +
                    "): " + first_line(error.what()),
                Exit::failed);
  }
}

Comm::~Comm() = default;

void Comm::set_step(std::int64_t step) {
  step_ = step;
  report_step(step_, phase_.c_str());
}

void Comm::set_phase(const std::string& phase) {
  phase_ = phase;
  report_step(step_, phase_.c_str());
}

void Comm::set_timeout(double seconds) {
  timeout_seconds_ = seconds;
}

std::string Comm::place() const {
  return (step_ < 0 ? "before the first step" : "in step " + std::to_string(step_)) + ", phase " +
         phase_;
}

void Comm::run(const Call& call, const std::function<void(Group&)>& work) {
  if (group_ == nullptr) return;
  ++sequence_;
  report_collective(call.name, sequence_);
  group_->timeout = milliseconds(timeout_seconds_);
  const auto start = std::chrono::steady_clock::now();
  try {
    at::NoGradGuard no_grad;
    if (verify_calls_) verify(call);
    work(*group_);
  } catch (const Error&) {
    throw;
  } catch (const std::exception& error) {
    report_lost_peer();
    throw Error(
        "rank " + std::to_string(rank_) + ": collective #" + std::to_string(sequence_) + " " +
            call.name + " failed " + place() + ", after " + seconds_since(start) + " (timeout " +
            std::to_string(static_cast<long>(timeout_seconds_)) +
            " s): another rank ended, stalled or made another call: " + first_line(error.what()),
        Exit::failed);
  }
}

void Comm::verify(const Call& call) {
  // A name as a number: FNV-1a, so that the fingerprint has a fixed size.
  std::uint64_t name = 14695981039346656037u;
  for (const char* c = call.name; *c != '\0'; ++c)
    name = (name ^ std::uint8_t(*c)) * 1099511628211u;
  const std::vector<std::int64_t> own = {static_cast<std::int64_t>(name), call.dtype, call.numel};
  std::vector<at::Tensor> mine = {at::tensor(own, at::kLong)};
  std::vector<std::vector<at::Tensor>> all(1);
  for (int rank = 0; rank < world_size_; ++rank) all[0].push_back(at::empty_like(mine[0]));
  c10d::AllgatherOptions options;
  options.timeout = group_->timeout;
  group_->gloo->allgather(all, mine, options)->wait();
  for (int rank = 0; rank < world_size_; ++rank) {
    if (all[0][rank].equal(mine[0])) continue;
    const auto other = all[0][rank].accessor<std::int64_t, 1>();
    const char* what = other[0] != own[0]   ? "another collective"
                       : other[1] != own[1] ? "another dtype"
                                            : "another size";
    throw Error("rank " + std::to_string(rank_) + ": collective #" + std::to_string(sequence_) +
                    " " + call.name + " " + place() + ": rank " + std::to_string(rank) + " calls " +
                    what + " (" + std::to_string(other[2]) + " elements, here " +
                    std::to_string(own[2]) + "); ranks must make the same calls in the same order",
                Exit::failed);
  }
}

void Comm::reduce(at::Tensor& tensor, const char* name, int operation) {
  const auto dtype = tensor.scalar_type();
  if (dtype != at::kFloat && dtype != at::kDouble && dtype != at::kLong) {
    throw Error(std::string("Comm: ") + name + " of " + at::toString(dtype) +
                    ": must be float, double or int64",
                Exit::failed);
  }
  run({name, static_cast<std::int64_t>(dtype), tensor.numel()}, [&](Group& group) {
    if (tensor.numel() == 0) return;
    at::Tensor dense = tensor.detach().contiguous();  // the same memory unless it was strided
    std::vector<at::Tensor> one = {dense};
    c10d::AllreduceOptions options;
    options.reduceOp = static_cast<c10d::ReduceOp::RedOpType>(operation);
    options.timeout = group.timeout;
    group.of(dense).allreduce(one, options)->wait();
    if (!dense.is_alias_of(tensor)) tensor.detach().copy_(dense);
  });
}

void Comm::all_reduce_sum(at::Tensor& tensor) {
  reduce(tensor, "all_reduce_sum", c10d::ReduceOp::SUM);
}

void Comm::all_reduce_max(at::Tensor& tensor) {
  reduce(tensor, "all_reduce_max", c10d::ReduceOp::MAX);
}

void Comm::reduce_bucket(std::vector<at::Tensor>& bucket) {
  std::vector<at::Tensor> flat;
  for (const at::Tensor& tensor : bucket) flat.push_back(tensor.detach().reshape({-1}));
  at::Tensor whole = at::cat(flat);
  all_reduce_sum(whole);
  std::int64_t begin = 0;
  for (at::Tensor& tensor : bucket) {
    tensor.detach().copy_(whole.narrow(0, begin, tensor.numel()).view(tensor.sizes()));
    begin += tensor.numel();
  }
  bucket.clear();
}

void Comm::all_reduce_sum(std::vector<at::Tensor>& tensors) {
  if (group_ == nullptr) return;
  std::vector<at::Tensor> bucket;
  std::int64_t bytes = 0;
  for (const at::Tensor& tensor : tensors) {
    if (tensor.scalar_type() != tensors.front().scalar_type()) {
      throw Error(std::string("Comm: all_reduce_sum of a list with ") +
                      at::toString(tensors.front().scalar_type()) + " and " +
                      at::toString(tensor.scalar_type()) + ": must be of one dtype",
                  Exit::failed);
    }
    const auto size = static_cast<std::int64_t>(tensor.nbytes());
    if (!bucket.empty() && bytes + size > kBucketBytes) {
      reduce_bucket(bucket);
      bytes = 0;
    }
    bucket.push_back(tensor);
    bytes += size;
  }
  if (!bucket.empty()) reduce_bucket(bucket);
}

void Comm::broadcast(at::Tensor& tensor, int root) {
  if (root < 0 || root >= world_size_) {
    throw Error(
        "Comm: broadcast from rank " + std::to_string(root) + " of " + std::to_string(world_size_),
        Exit::failed);
  }
  run({"broadcast", static_cast<std::int64_t>(tensor.scalar_type()), tensor.numel()},
      [&](Group& group) {
        if (tensor.numel() == 0) return;
        at::Tensor dense = tensor.detach().contiguous();
        std::vector<at::Tensor> one = {dense};
        c10d::BroadcastOptions options;
        options.rootRank = root;
        options.timeout = group.timeout;
        group.of(dense).broadcast(one, options)->wait();
        if (!dense.is_alias_of(tensor)) tensor.detach().copy_(dense);
      });
}

void Comm::broadcast_bytes(std::string& bytes, int root) {
  if (group_ == nullptr) return;
  at::Tensor size = at::full({1}, static_cast<std::int64_t>(bytes.size()), at::kLong);
  broadcast(size, root);
  bytes.resize(static_cast<std::size_t>(size.item<std::int64_t>()));
  at::Tensor content = bytes_tensor(bytes);
  broadcast(content, root);
  bytes = bytes_of(content);
}

// Of equal shape on all ranks.
std::vector<at::Tensor> Comm::gather_equal(const at::Tensor& tensor, const char* name) {
  std::vector<std::vector<at::Tensor>> all(1);
  run({name, static_cast<std::int64_t>(tensor.scalar_type()), tensor.numel()}, [&](Group& group) {
    std::vector<at::Tensor> mine = {tensor.detach().contiguous()};
    for (int rank = 0; rank < world_size_; ++rank) all[0].push_back(at::empty_like(mine[0]));
    if (tensor.numel() == 0) return;
    c10d::AllgatherOptions options;
    options.timeout = group.timeout;
    group.of(tensor).allgather(all, mine, options)->wait();
  });
  return std::move(all[0]);
}

std::vector<at::Tensor> Comm::all_gather(const at::Tensor& tensor) {
  if (group_ == nullptr) return {tensor.detach().clone()};
  if (tensor.dim() == 0) {
    std::vector<at::Tensor> rows = all_gather(tensor.reshape({1}));
    for (at::Tensor& row : rows) row = row.reshape({});
    return rows;
  }
  const std::vector<at::Tensor> counts =
      gather_equal(at::full({1}, tensor.size(0), at::kLong), "all_gather sizes");
  std::int64_t most = 0;
  for (const at::Tensor& count : counts) most = std::max(most, count.item<std::int64_t>());
  at::Tensor padded = tensor.detach();
  if (tensor.size(0) < most) {
    std::vector<std::int64_t> shape = tensor.sizes().vec();
    shape[0] = most;
    padded = at::zeros(shape, tensor.options());
    padded.narrow(0, 0, tensor.size(0)).copy_(tensor.detach());
  }
  std::vector<at::Tensor> gathered = gather_equal(padded, "all_gather");
  for (int rank = 0; rank < world_size_; ++rank) {
    gathered[rank] = gathered[rank].narrow(0, 0, counts[rank].item<std::int64_t>());
  }
  return gathered;
}

std::vector<std::string> Comm::all_gather_bytes(const std::string& bytes) {
  if (group_ == nullptr) return {bytes};
  std::vector<std::string> result;
  for (const at::Tensor& tensor : all_gather(bytes_tensor(bytes)))
    result.push_back(bytes_of(tensor));
  return result;
}

double Comm::sum(double value) {
  if (group_ == nullptr) return value;
  at::Tensor one = at::full({1}, value, at::kDouble);
  all_reduce_sum(one);
  return one.item<double>();
}

bool Comm::any(bool value) {
  if (group_ == nullptr) return value;
  at::Tensor one = at::full({1}, std::int64_t{value}, at::kLong);
  all_reduce_max(one);
  return one.item<std::int64_t>() != 0;
}

void Comm::barrier() {
  run({"barrier", -1, 0}, [&](Group& group) {
    c10d::BarrierOptions options;
    options.timeout = group.timeout;
    group.gloo->barrier(options)->wait();
  });
}

}  // namespace plumb
