// Collectives between the ranks of a job (DESIGN.md 11). c10d lives behind this class. Every rank
// makes the same calls in the same order; a call returns when its result is there. With one rank
// nothing is opened and every call is the identity.
//
// Results are the same bits on every rank, and on CPUs the same in every run with the same world
// size: Gloo reduces around a ring in a fixed order. Another world size groups the terms otherwise
// and rounds otherwise.
//
// Where the backend is nccl, tensors on GPUs go through NCCL and all else, which is small, through
// Gloo as ever.
//
// Errors are Error(Exit::failed) naming rank, collective, its number in the sequence, step, phase
// and waiting time. When one rank ends, the others' pending collectives fail at once; when one
// stalls, they fail after the timeout. After an error the Comm is of no more use.
#pragma once
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/dist/rank_env.h"

namespace plumb {

struct CommOptions {
  double timeout_seconds = 120;  // a collective waits so long for the slowest rank
  std::string backend = "gloo";  // "nccl": CUDA tensors too; device cuda must be open
  // Compare name, dtype and size of every call between the ranks first (one more round each), to
  // find the rank that left the common order instead of a hang or a wrong sum.
  bool verify_calls = false;
};

class Comm {
 public:
  // Meets the other ranks; all must call it. With a loopback MASTER_ADDR nothing listens beyond
  // loopback; otherwise only on the address by which MASTER_ADDR is reached (GLOO_SOCKET_IFNAME
  // names another interface). Throws Error.
  static std::unique_ptr<Comm> create(const RankEnv& env, const CommOptions& options = {});
  ~Comm();
  Comm(const Comm&) = delete;
  Comm& operator=(const Comm&) = delete;

  int rank() const { return rank_; }
  int world_size() const { return world_size_; }
  bool is_main() const { return rank_ == 0; }

  // Where the job is: used in errors, and told to the supervisor, should this rank die.
  void set_step(std::int64_t step);
  void set_phase(const std::string& phase);
  // For phases in which ranks take very different times (loading, rollouts).
  void set_timeout(double seconds);

  // In place; float, double or int64, any strides, same shape on all ranks; no autograd.
  void all_reduce_sum(at::Tensor& tensor);
  void all_reduce_max(at::Tensor& tensor);
  // All of one dtype, sent as flat buckets of at most 64 MiB (one tensor may exceed it).
  void all_reduce_sum(std::vector<at::Tensor>& tensors);

  // In place, from rank `root`; any dtype, same shape on all ranks.
  void broadcast(at::Tensor& tensor, int root);
  void broadcast_bytes(std::string& bytes, int root);

  // Every rank's tensor, in rank order. Same dtype and same sizes from dimension 1 on; dimension 0
  // may differ between ranks.
  std::vector<at::Tensor> all_gather(const at::Tensor& tensor);
  std::vector<std::string> all_gather_bytes(const std::string& bytes);

  double sum(double value);
  bool any(bool value);
  void barrier();

 private:
  struct Group;  // the c10d backend and its store
  struct Call {
    const char* name;
    std::int64_t dtype;  // an at::ScalarType, or -1
    std::int64_t numel;  // -1: may differ between ranks
  };

  Comm(const RankEnv& env, const CommOptions& options);
  void run(const Call& call, const std::function<void(Group&)>& work);
  void verify(const Call& call);
  void reduce(at::Tensor& tensor, const char* name, int operation);
  void reduce_bucket(std::vector<at::Tensor>& bucket);
  std::vector<at::Tensor> gather_equal(const at::Tensor& tensor, const char* name);
  std::string place() const;

  int rank_ = 0;
  int world_size_ = 1;
  double timeout_seconds_;
  bool verify_calls_;
  std::uint64_t sequence_ = 0;  // collectives begun so far
  std::int64_t step_ = -1;      // -1: none yet
  std::string phase_ = "start";
  std::unique_ptr<Group> group_;  // null with one rank
};

}  // namespace plumb
