// A stand-in for journald or a syslog server that takes datagrams. One thread.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "base/unique_fd.h"

namespace tidewaiter::testing {

class DatagramListener {
 public:
  // Binds `path`, in place of what is there. Aborts the test program where it cannot.
  explicit DatagramListener(const std::string& path);

  struct Message {
    std::string payload;
    std::optional<std::string> file;  // the content of a file that came with it
    int seals = 0;                    // of that file
  };
  // Nothing where none comes in time.
  std::optional<Message> Receive(std::chrono::milliseconds within = std::chrono::seconds(20));
  // Until its queue takes nothing more, as of one that hangs.
  void Fill() const;

 private:
  std::string path_;
  UniqueFd fd_;
};

}  // namespace tidewaiter::testing
