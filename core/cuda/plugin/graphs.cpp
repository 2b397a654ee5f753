#include "core/cuda/plugin/graphs.h"

#include <ATen/cuda/CUDAEvent.h>
#include <ATen/cuda/CUDAGraph.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>

#include <memory>

namespace plumb {
namespace {

// Graphs are replayed one after another and keep nothing between replays but what lies outside
// them, so all take their temporaries from one pool.
at::cuda::MempoolId_t pool_of_all() {
  static const at::cuda::MempoolId_t pool = at::cuda::graph_pool_handle();
  return pool;
}

void wait_for(const c10::cuda::CUDAStream& waiting, const c10::cuda::CUDAStream& awaited) {
  at::cuda::CUDAEvent event;
  event.record(awaited);
  event.block(waiting);
}

// Capture needs a stream that is not the default one. The run before it is on the same stream, so
// that cuBLAS has its workspace there already and does not take one out of the pool.
void* record(const std::function<void()>& work) {
  const c10::cuda::CUDAStream outside = c10::cuda::getCurrentCUDAStream();
  const c10::cuda::CUDAStream inside = c10::cuda::getStreamFromPool();
  auto graph = std::make_unique<at::cuda::CUDAGraph>();
  wait_for(inside, outside);
  {
    const c10::cuda::CUDAStreamGuard guard(inside);
    work();
    inside.synchronize();
    graph->capture_begin(pool_of_all());
    try {
      work();
    } catch (...) {
      graph->capture_end();
      throw;
    }
    graph->capture_end();
  }
  wait_for(outside, inside);
  return graph.release();
}

void replay(void* graph) {
  static_cast<at::cuda::CUDAGraph*>(graph)->replay();
}

void forget(void* graph) {
  delete static_cast<at::cuda::CUDAGraph*>(graph);
}

}  // namespace

const GraphFunctions& cuda_graphs() {
  static const GraphFunctions functions{record, replay, forget};
  return functions;
}

}  // namespace plumb
