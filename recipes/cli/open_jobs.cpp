#include "recipes/cli/open_jobs.h"

#include <dlfcn.h>

#include <cstdlib>
#include <filesystem>

#include "core/error.h"

namespace plumb {

const JobTable& open_jobs() {
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
