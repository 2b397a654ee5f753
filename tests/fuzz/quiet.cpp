// Warnings about what is ignored in a file would be most of a fuzzer's time.
#include "core/log.h"

namespace {

const bool is_quiet = [] {
  plumb::log::set_level(plumb::log::Level::error);
  return true;
}();

}  // namespace
