// Ctrl-C and SIGTERM: the first asks the running job to save a checkpoint and stop at the next step
// boundary; a second one ends the process at once.
#pragma once

namespace plumb {

void install_stop_handlers();
bool stop_requested();
void request_stop();        // what the handler does; for tests and supervisors
void clear_stop_request();  // before another job in the same process

}  // namespace plumb
