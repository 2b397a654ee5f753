// Part of libplumb_jobs.so in a build with PLUMB_SIMT=ON: from the library's opening on, tensors on
// the CPU go through the harness's kernels.
#include "tests/simt/tensors/use_harness.h"

namespace plumb::simt {
namespace {

const UseHarness harness;

}  // namespace
}  // namespace plumb::simt
