// journald, by its native protocol and without libsystemd: sd_journal_sendv(3) says success where
// nobody listens, and a record would be lost without a word. One thread.
#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "broker/forward/datagram_socket.h"
#include "broker/forward/destination.h"

namespace tidewaiter::forward {

class JournaldDestination final : public Destination {
 public:
  // What sd_journal_sendv(3) asks for; longer messages go as a memory file.
  static constexpr std::size_t kSendBuffer = std::size_t{8} << 20U;

  explicit JournaldDestination(std::string socket_path, std::size_t send_buffer = kSendBuffer)
      : path_(std::move(socket_path)), send_buffer_(send_buffer) {}

  [[nodiscard]] std::string Name() const override;
  Result<void> Connect(const std::stop_token& stop, Deadline deadline) override;
  Result<void> Send(const ForwardedRecord& record, Deadline deadline) override;
  // What the socket has taken is journald's: systemd holds that socket open while journald
  // restarts.
  Result<void> Confirm(Deadline deadline) override;

 private:
  const std::string path_;
  const std::size_t send_buffer_;
  std::optional<DatagramSocket> socket_;
};

}  // namespace tidewaiter::forward
