// Where the hub is and where its files are kept, as huggingface_hub reads it from the environment.
#pragma once
#include <string>

namespace plumb::hub {

struct Settings {
  std::string endpoint = "https://huggingface.co";  // HF_ENDPOINT; no slash at its end
  std::string cache;  // HF_HUB_CACHE, else HF_HOME/hub, else XDG_CACHE_HOME/huggingface/hub, else
                      // ~/.cache/huggingface/hub
  std::string token;  // HF_TOKEN, else the file HF_TOKEN_PATH or HF_HOME/token; may be empty
  bool is_offline = false;      // HF_HUB_OFFLINE or TRANSFORMERS_OFFLINE: the cache alone
  bool shows_progress = false;  // a line on stderr that is written over
  std::string certificates;     // SSL_CERT_FILE, else CURL_CA_BUNDLE; empty: the system's
  long connect_timeout = 10;    // seconds until a connection stands; HF_HUB_ETAG_TIMEOUT
  long stall_timeout = 30;      // seconds below 1000 bytes a second; HF_HUB_DOWNLOAD_TIMEOUT
  int attempts = 6;             // of a request that fails for a while
  double first_pause = 1.0;     // seconds before the second attempt; doubles with each
  double longest_pause = 60.0;  // seconds; also of what a server asks for
};

// Throws Error when no cache folder can be named (neither HF_HOME nor HOME) or a value is no
// number.
Settings settings_from_environment();

}  // namespace plumb::hub
