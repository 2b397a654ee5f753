// Sends f32 and bf16 tensors on the CPU through the harness's kernels: what PLUMB_SIMT=ON does to
// the jobs, and the tests that compare the two paths do while one of these lives.
#pragma once

namespace plumb::simt {

class UseHarness {
 public:
  UseHarness();
  ~UseHarness();
  UseHarness(const UseHarness&) = delete;
  UseHarness& operator=(const UseHarness&) = delete;
};

}  // namespace plumb::simt
