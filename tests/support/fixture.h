// Expected values made by the scripts of tests/oracle, as tensors.
#pragma once
#include <ATen/ATen.h>

#include <map>
#include <stdexcept>
#include <string>

#include "core/io/json.h"
#include "core/io/safetensors.h"

namespace plumb::test {

struct Fixture {
  std::map<std::string, at::Tensor> tensors;
  std::map<std::string, std::string> metadata;  // versions of what made it, and small things

  const at::Tensor& at(const std::string& name) const {
    const auto found = tensors.find(name);
    if (found == tensors.end()) {
      throw std::runtime_error("fixture holds no tensor " + name);
    }
    return found->second;
  }
  Json json(const std::string& key) const { return parse_json(metadata.at(key), "fixture"); }
};

inline at::ScalarType scalar_type_of(Dtype dtype) {
  switch (dtype) {
    case Dtype::f64:
      return at::kDouble;
    case Dtype::f32:
      return at::kFloat;
    case Dtype::i64:
      return at::kLong;
    case Dtype::i32:
      return at::kInt;
    case Dtype::boolean:
      return at::kBool;
    default:
      throw std::runtime_error("fixture: dtype " + std::string(dtype_name(dtype)));
  }
}

inline Fixture read_fixture_file(const std::string& path) {
  const SafetensorsFile file = SafetensorsFile::open(path);
  Fixture fixture;
  for (const TensorEntry& entry : file.entries()) {
    at::Tensor tensor = at::empty(entry.shape, scalar_type_of(entry.dtype));
    file.read(entry, tensor.mutable_data_ptr());
    fixture.tensors[entry.name] = tensor;
  }
  for (const auto& [key, value] : file.metadata()) {
    fixture.metadata[key] = value;
  }
  return fixture;
}

// tests/oracle/fixtures/NAME.safetensors; tests run from the root of the repository.
inline Fixture read_fixture(const std::string& name) {
  return read_fixture_file("tests/oracle/fixtures/" + name + ".safetensors");
}

}  // namespace plumb::test
