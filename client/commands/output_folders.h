// Where the archives of `run --output` go: each is unpacked as it comes, by a worker without rights
// (a client does not trust the broker's archive more than any other), and its folder gets all of it
// or nothing. Thread: one.
#pragma once

#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/result.h"
#include "client/commands/archive_flag.h"
#include "extract/limits.h"
#include "extract/staging.h"
#include "extract/worker_process.h"
#include "tidewaiter/v1/broker.pb.h"

namespace tidewaiter::cli {

class OutputFolders {
 public:
  // `worker` is the path of tidewaiter-extract. `stop` ends waiting for it.
  OutputFolders(const std::vector<ArchiveFlag>& outputs, std::string worker, std::stop_token stop);

  // Whether every folder could be filled now: absent or empty, and writable. Leaves them as they
  // are. Errors are Staging's.
  static Result<void> Check(const std::vector<ArchiveFlag>& outputs);

  // The most that each may hold.
  void SetMaxBytes(std::uint64_t bytes) { limits_.max_bytes = bytes; }
  // The next piece. What was not asked for is let go. The error, told once for an output, is why
  // its folder stays empty.
  Result<void> Take(const v1::OutputPiece& piece);
  // At the end: those that have not come whole and of which Take has not said why.
  [[nodiscard]] std::vector<std::string> Missing() const;
  // Whether every folder that was asked for is there.
  [[nodiscard]] bool complete() const;

 private:
  enum class State { kAwaited, kComing, kThere, kFailed };
  struct Folder {
    ArchiveFlag flag;
    State state = State::kAwaited;
    // The worker goes before the folder that it writes in.
    std::optional<extract::Staging> staging;
    std::optional<extract::WorkerProcess> worker;
  };

  Result<void> TakeInto(Folder& folder, const v1::OutputPiece& piece);
  Result<void> Begin(Folder& folder);
  // Once the worker has ended or cannot be fed: what it says.
  Result<void> End(Folder& folder);

  const std::string worker_;
  const std::stop_token stop_;
  extract::Limits limits_;
  std::vector<Folder> folders_;
};

}  // namespace tidewaiter::cli
