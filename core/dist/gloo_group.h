// c10d's Gloo backend. Its headers need gloo's, which are Debian's and older than what LibTorch is
// built with; gloo_group.cpp alone includes them, and only passes gloo's device pointer through.
#pragma once
#include <c10/util/intrusive_ptr.h>

#include <chrono>

#include "core/dist/rank_env.h"

namespace c10d {
class Backend;
class Store;
}  // namespace c10d

namespace plumb {

// The key-value store through which ranks find one another: served by rank 0, on MASTER_ADDR alone.
c10::intrusive_ptr<c10d::Store> connect_store(const RankEnv& env,
                                              std::chrono::milliseconds timeout);

c10::intrusive_ptr<c10d::Backend> connect_gloo(const RankEnv& env,
                                               const c10::intrusive_ptr<c10d::Store>& store,
                                               std::chrono::milliseconds timeout);

}  // namespace plumb
