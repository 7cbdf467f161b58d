// Forwards this process's stdin to the run, on a thread of its own, at the pace at which the
// container reads.
#pragma once

#include <thread>

#include "base/result.h"
#include "base/unique_fd.h"
#include "client/run_session.h"

namespace tidewaiter::cli {

class StdinPump {
 public:
  // `session` must outlive the pump. End of file on `fd` (borrowed) closes the container's stdin.
  // `after` (borrowed; -1: none) becomes readable when stdin's turn in the stream has come.
  static Result<StdinPump> Start(int fd, client::RunSession& session, int after = -1);
  StdinPump(StdinPump&&) noexcept = default;
  StdinPump& operator=(StdinPump&&) = delete;
  // Stops reading and joins the thread; a write that waits for the container ends when the stream
  // does, so the session must have finished or been aborted.
  ~StdinPump();

 private:
  StdinPump() = default;

  UniqueFd stop_;
  std::thread thread_;
};

}  // namespace tidewaiter::cli
