#include "broker/forward/journald_destination.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "base/printable.h"
#include "base/unique_fd.h"
#include "broker/forward/journal_message.h"

namespace tidewaiter::forward {
namespace {

// Sealed, as journald demands of a file that its sender could otherwise change while it is read.
Result<UniqueFd> SealedFile(std::string_view content) {
  constexpr const char* kWhat = "make a memory file";
  UniqueFd file(::memfd_create("tidewaiter-audit", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!file) return ErrnoError(errno, kWhat);
  while (!content.empty()) {
    const ssize_t written = ::write(file.get(), content.data(), content.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return ErrnoError(errno, kWhat);
    content.remove_prefix(static_cast<std::size_t>(written));
  }
  constexpr int kSeals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL;
  if (::fcntl(file.get(), F_ADD_SEALS, kSeals) != 0) return ErrnoError(errno, kWhat);
  return file;
}

}  // namespace

std::string JournaldDestination::Name() const {
  return "journald " + Quoted(path_);
}

Result<void> JournaldDestination::Connect(const std::stop_token& stop, Deadline /*deadline*/) {
  socket_.reset();
  TW_ASSIGN(DatagramSocket socket, DatagramSocket::Connect(path_, send_buffer_, stop));
  socket_.emplace(std::move(socket));
  return Ok();
}

Result<void> JournaldDestination::Send(const ForwardedRecord& record, Deadline deadline) {
  const std::string message = JournalMessage(record);
  TW_ASSIGN(const bool sent, socket_->Send(message, deadline));
  if (sent) return Ok();
  TW_ASSIGN(const UniqueFd file, SealedFile(message));
  return socket_->SendFile(file.get(), deadline);
}

Result<void> JournaldDestination::Confirm(Deadline /*deadline*/) {
  return Ok();
}

}  // namespace tidewaiter::forward
