#include "core/ops/device_graph.h"

#include <array>
#include <utility>

namespace plumb {
namespace {

constexpr auto kDeviceTypes = static_cast<size_t>(c10::DeviceType::COMPILE_TIME_MAX_DEVICE_TYPES);
std::array<const GraphFunctions*, kDeviceTypes> functions_of{};

}  // namespace

void use_graphs(c10::DeviceType device, const GraphFunctions* functions) {
  functions_of[static_cast<size_t>(device)] = functions;
}

DeviceGraph::DeviceGraph(at::Device device, std::function<void()> work)
    : functions_(functions_of[static_cast<size_t>(device.type())]), work_(std::move(work)) {
  if (functions_ == nullptr) {
    work_();
  } else {
    graph_ = functions_->record(work_);
  }
}

DeviceGraph::~DeviceGraph() {
  if (graph_ != nullptr) {
    functions_->forget(graph_);
  }
}

DeviceGraph::DeviceGraph(DeviceGraph&& other) noexcept
    : functions_(other.functions_),
      work_(std::move(other.work_)),
      graph_(std::exchange(other.graph_, nullptr)) {}

void DeviceGraph::replay() {
  if (graph_ == nullptr) {
    work_();
  } else {
    functions_->replay(graph_);
  }
}

}  // namespace plumb
