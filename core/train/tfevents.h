// TensorBoard's event records, written by hand: TFRecord framing (length, masked CRC-32C of the
// length, data, masked CRC-32C of the data) around a protobuf Event with scalar Summary values
// (tensorflow/core/lib/io/record_writer.cc, tensorflow/core/util/event.proto, summary.proto).
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace plumb {

uint32_t crc32c(std::string_view bytes);  // Castagnoli, RFC 3720 B.4

// The first record of a file.
std::string event_file_header(double wall_time);

// One record with a value a tag.
std::string event_record(double wall_time, int64_t step,
                         const std::vector<std::pair<std::string, double>>& scalars);

}  // namespace plumb
