#include "recipes/cli/open_jobs.h"

#include <dlfcn.h>
#if defined(__GLIBC__)
#include <malloc.h>
#endif

#include <cstdlib>
#include <filesystem>

#include "core/error.h"

namespace plumb {
namespace {

// A training step asks for the same tensors as the one before. By its defaults the C library gives
// their pages back to the system in between, to be cleared and mapped again: a twentieth of a step
// of a small model. Weights and other large tensors still go back when they are freed.
void keep_freed_pages() {
#if defined(__GLIBC__)
  mallopt(M_MMAP_THRESHOLD, 64 << 20);
  mallopt(M_TRIM_THRESHOLD, 512 << 20);
  mallopt(M_TOP_PAD, 16 << 20);
#endif
}

}  // namespace

const JobTable& open_jobs() {
  keep_freed_pages();
  const auto program = std::filesystem::read_symlink("/proc/self/exe");
  const auto library = program.parent_path() / "libplumb_jobs.so";
  // OpenMP reads this when LibTorch loads it. Threads that spin between parallel regions take the
  // cores from whoever else computes: two jobs on two cores ran ten times slower.
  setenv("OMP_WAIT_POLICY", "PASSIVE", 0);
  void* handle = dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) {
    throw Error(std::string("cannot open the jobs: ") + dlerror() +
                    "; build them with ./bootstrap.sh build and keep libplumb_jobs.so beside plumb",
                Exit::failed);
  }
  const auto table = reinterpret_cast<const JobTable* (*)()>(dlsym(handle, "plumb_jobs"));
  if (table == nullptr) {
    throw Error(
        library.string() + ": is not Plumb's job library (no symbol plumb_jobs); rebuild it",
        Exit::failed);
  }
  return *table();
}

}  // namespace plumb
