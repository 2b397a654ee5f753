// Work on a device that is done again and again on the same tensors: recorded once and replayed, a
// few hundred launches cost the host one call (CUDA graphs). Where the device has none, replaying
// does the work anew.
#pragma once
#include <ATen/ATen.h>

#include <functional>

namespace plumb {

// Of a type of device.
struct GraphFunctions {
  void* (*record)(const std::function<void()>& work);  // does it once, then records it
  void (*replay)(void* graph);
  void (*forget)(void* graph);
};

// nullptr takes them away. They must outlive all graphs.
void use_graphs(c10::DeviceType device, const GraphFunctions* functions);

class DeviceGraph {
 public:
  // Does the work, and records it. It must read and write the same memory whenever it is replayed,
  // wait for nothing on the host, and give the same when it is done twice.
  DeviceGraph(at::Device device, std::function<void()> work);
  ~DeviceGraph();
  DeviceGraph(DeviceGraph&& other) noexcept;
  DeviceGraph& operator=(DeviceGraph&&) = delete;

  void replay();

 private:
  const GraphFunctions* functions_;
  std::function<void()> work_;
  void* graph_ = nullptr;
};

}  // namespace plumb
