// One connection of a probe: reads a request's head, writes the answer, and then reads what may
// still come, so that the answer is not lost with it. Never blocks. One thread.
#pragma once

#include <cstddef>
#include <functional>
#include <string>

#include "base/deadline.h"
#include "base/unique_fd.h"

namespace tidewaiter::daemon {

inline constexpr std::size_t kMaxProbeHead = std::size_t{8} << 10U;

class HealthConnection {
 public:
  HealthConnection(UniqueFd socket, Deadline deadline)
      : socket_(std::move(socket)), deadline_(deadline) {}

  [[nodiscard]] int fd() const noexcept { return socket_.get(); }
  [[nodiscard]] Deadline deadline() const noexcept { return deadline_; }
  // What to wait for: POLLIN or POLLOUT.
  [[nodiscard]] short events() const noexcept;

  // Goes on as far as the socket lets it. `answer` turns a whole head into what is sent. False: it
  // is over, and to be closed.
  bool GoOn(const std::function<std::string(const std::string& head)>& answer);

 private:
  enum class Step { kReading, kWriting, kEnding, kOver };
  // Each returns whether the next step can follow at once.
  bool Read(const std::function<std::string(const std::string& head)>& answer);
  bool Write();
  void AwaitEnd();

  UniqueFd socket_;
  Deadline deadline_;
  Step step_ = Step::kReading;
  std::string head_;
  std::string answer_;
  std::size_t sent_ = 0;
  std::size_t ignored_ = 0;
};

}  // namespace tidewaiter::daemon
