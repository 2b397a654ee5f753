// A thin layer over HDF5's C API: handles that close themselves, errors with file and dataset, and
// one lock for all calls (Debian's libhdf5 is not thread-safe). Used by the data store and for
// PPO's rollouts. Publishing is the caller's: give Hdf5File::create the temporary of
// files::publish_path. No times are recorded, so equal contents make equal files.
#pragma once
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace plumb {

class Hdf5File {
 public:
  // `user_block`: bytes left free at the start (0, or a power of two from 512).
  static Hdf5File create(const std::string& path, std::uint64_t user_block = 0);
  static Hdf5File open(const std::string& path);  // to read; only files whose hash was checked
  Hdf5File(Hdf5File&&) noexcept;
  Hdf5File& operator=(Hdf5File&&) noexcept;
  ~Hdf5File();
  void close();  // throws when data cannot be written out; the destructor would swallow that

  // T: std::int32_t, std::int64_t, float or double; `values` row-major, `shape` of any rank >= 1.
  template <class T>
  void write(const std::string& name, std::span<const T> values,
             const std::vector<std::int64_t>& shape);
  void write_strings(const std::string& name, std::span<const std::string> values);

  // Grows a dataset along its first dimension, making it at the first call; `row_size` numbers a
  // row (1: a one-dimensional dataset).
  template <class T>
  void append(const std::string& name, std::span<const T> values, std::int64_t row_size = 1);
  void append_strings(const std::string& name, std::span<const std::string> values);

  void set_attribute(const std::string& name, const std::string& value);
  void set_attribute(const std::string& name, std::int64_t value);
  void set_attribute(const std::string& name, double value);
  std::string string_attribute(const std::string& name) const;
  std::int64_t integer_attribute(const std::string& name) const;

  bool has(const std::string& name) const;
  std::vector<std::int64_t> shape(const std::string& name) const;
  // `count` rows from `begin`; throws on another type or beyond the end.
  template <class T>
  std::vector<T> read(const std::string& name, std::int64_t begin, std::int64_t count) const;
  template <class T>
  std::vector<T> read_all(const std::string& name) const;
  std::vector<std::string> read_strings(const std::string& name, std::int64_t begin,
                                        std::int64_t count) const;

 private:
  struct State;
  explicit Hdf5File(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace plumb
