#include "core/train/tfevents.h"

#include <gtest/gtest.h>

#include "core/io/files.h"
#include "core/io/json.h"

namespace plumb {
namespace {

std::string bytes_of(const std::string& hex) {
  std::string bytes;
  for (std::size_t i = 0; i < hex.size(); i += 2) {
    bytes.push_back(static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16)));
  }
  return bytes;
}

// RFC 3720, B.4, and the check value of the CRC catalogue.
TEST(Crc32c, KnownValues) {
  EXPECT_EQ(crc32c("123456789"), 0xE3069283u);
  EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8A9136AAu);
  EXPECT_EQ(crc32c(std::string(32, '\xff')), 0x62A8AB43u);
}

// The bytes that TensorBoard's own writer makes of the same events (tests/oracle/make_tfevents.py).
TEST(Events, SameBytesAsTensorBoard) {
  const Json fixture = read_json("tests/oracle/fixtures/tfevents.json");
  EXPECT_EQ(event_file_header(fixture.at("header").at("wall_time")),
            bytes_of(fixture.at("header").at("record")));
  for (const Json& event : fixture.at("events")) {
    std::vector<std::pair<std::string, double>> scalars;
    for (const Json& scalar : event.at("scalars")) scalars.emplace_back(scalar[0], scalar[1]);
    EXPECT_EQ(event_record(event.at("wall_time"), event.at("step"), scalars),
              bytes_of(event.at("record")));
  }
}

}  // namespace
}  // namespace plumb
