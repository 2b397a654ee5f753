// Moves models to the device that computes.
#pragma once
#include <ATen/ATen.h>

#include "core/model/decoder.h"

namespace plumb {

// Every tensor of the model; a head tied to the embedding stays tied. Before anything trains: the
// tensors on another device are new ones.
void move_to(Decoder& decoder, const at::Device& device);
void move_to(Adapter& adapter, const at::Device& device);

// For what is loaded and placed in one expression.
template <class Model>
Model placed(Model model, const at::Device& device) {
  move_to(model, device);
  return model;
}

}  // namespace plumb
