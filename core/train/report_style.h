// The report's style sheet.
#pragma once

namespace plumb {

const char* report_style();

}  // namespace plumb
