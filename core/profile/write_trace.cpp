#include <cstdio>

#include "core/io/files.h"
#include "core/io/json.h"
#include "core/profile/recorder.h"

namespace plumb::profile {
namespace {

constexpr std::size_t kPieceBytes = 1 << 16;

// Digits to the nanosecond: a span that ends where the next begins must not overlap it.
std::string microseconds(std::int64_t nanoseconds) {
  char text[40];
  std::snprintf(text, sizeof text, "%lld.%03lld", static_cast<long long>(nanoseconds / 1000),
                static_cast<long long>(nanoseconds % 1000));
  return text;
}

std::string quoted(const std::string& text) {
  return Json(text).dump();
}

}  // namespace

void Recorder::write_trace(const std::string& path, std::int64_t process) const {
  const std::string who = ",\"pid\":" + std::to_string(process) + ",\"tid\":0";
  files::publish(path, [&](const files::Sink& sink) {
    std::string text = "{\"displayTimeUnit\":\"ms\",\"traceEvents\":[\n";
    text += "{\"name\":\"process_name\",\"ph\":\"M\"" + who +
            ",\"args\":{\"name\":" + quoted("plumb, rank " + std::to_string(process)) + "}}";
    for (const Event& event : events_) {
      const std::string part = event.part;
      text += ",\n{\"name\":" +
              quoted(part.empty() ? event.name : std::string(event.name) + ", " + part) +
              ",\"ph\":\"X\",\"ts\":" + microseconds(event.begin) +
              ",\"dur\":" + microseconds(event.end - event.begin) + who;
      if (event.flops > 0) text += ",\"args\":{\"flops\":" + Json(event.flops).dump() + "}";
      text += "}";
      if (text.size() < kPieceBytes) continue;
      sink(text);
      text.clear();
    }
    sink(text + "\n]}\n");
  });
}

}  // namespace plumb::profile
