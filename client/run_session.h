// One run over the Broker.Run stream: the run lives as long as this object's stream does, unless it
// is detached.
//
// Threads: Next and Finish from one thread; WriteInput, WriteStdin and CloseStdin from another, one
// after another; RequestCancel and Abort from any. Nothing here touches the terminal or a signal.
#pragma once

#include <grpcpp/client_context.h>
#include <grpcpp/support/sync_stream.h>

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "client/connection.h"
#include "client/rpc_failure.h"

namespace tidewaiter::client {

class RunSession {
 public:
  // Bytes of stdin in one message: what a pipe holds, and well under the contract's 1 MiB.
  static constexpr std::size_t kStdinChunk = std::size_t{64} * 1024;

  // Sends the request; whether it is admitted is in the events. `connection` must outlive the
  // session. `with_stdin`: the container's stdin stays open until CloseStdin.
  struct Options {
    bool with_stdin = false;
    bool detach = false;  // the stream ends when the container has started, and the run goes on
  };
  RunSession(Connection& connection, const v1::RunSpec& spec, Options options);
  // Ends the stream, and with it the run, where Finish has not been called.
  ~RunSession();
  RunSession(const RunSession&) = delete;
  RunSession& operator=(const RunSession&) = delete;

  // The next event; blocks. Empty: the stream has ended and Finish says how.
  std::optional<v1::RunEvent> Next();

  // Empty: the call succeeded, so a result was delivered. To be called once, after Next was empty.
  std::optional<RpcFailure> Finish();

  // The next bytes (at most 1 MiB) of the archive that fills the mount `name`, and whether they are
  // its last. Each input is to come whole before the next, and all of them before stdin. Blocks
  // while the broker unpacks slowly, or has not come to this run yet. False: the stream takes no
  // more.
  bool WriteInput(const std::string& name, std::string_view bytes, bool last);
  // Blocks while the container reads slowly. False: the stream takes no more.
  bool WriteStdin(std::string_view bytes);
  // Half-close: the container reads end of file.
  void CloseStdin();

  // Asks the broker to cancel; result and receipt still come through Next. Returns at once or
  // within 5 s. The error is the broker's, or UNAVAILABLE.
  Result<void> RequestCancel();

  // Drops the call. The broker cancels the run and cleans up, but nothing more is heard of it.
  void Abort();

 private:
  Result<void> CancelByMessage();
  Result<void> CancelById(const std::string& run_id);

  Connection& connection_;
  // Whether a write may wait for the other side: of stdin, or of an input.
  const bool writes_may_wait_;
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReaderWriter<v1::RunRequest, v1::RunEvent>> stream_;
  bool finished_ = false;

  // Serialises the stream's writes; held while a write waits for the other side.
  std::mutex write_mutex_;

  std::mutex cancel_mutex_;
  std::string run_id_;           // once admitted; guarded by cancel_mutex_
  bool cancel_pending_ = false;  // asked for before the id was known; guarded by cancel_mutex_
};

}  // namespace tidewaiter::client
