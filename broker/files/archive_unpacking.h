// One archive on its way into the folder of an input, or of an output that was carried here: fed to
// a worker without rights, hashed and counted on the way, given to the run's user at its end. On
// the run's thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/unique_fd.h"
#include "broker/files/sha256.h"
#include "broker/run/run_files.h"
#include "extract/worker_process.h"

namespace tidewaiter::files {

class ArchiveUnpacking final : public run::ArchiveReceiver {
 public:
  struct Hooks {
    std::function<Result<void>()> check_room;    // asked again and again; an error ends it
    std::function<void(std::uint64_t)> on_done;  // gets the bytes of content that it has come to
  };
  // What errors call it, and how their reasons begin.
  struct Words {
    std::string noun;    // "input"
    std::string reason;  // "INPUT"
  };
  // The folder `name` is made in `parent`, and is `user`'s in the end.
  struct Place {
    UniqueFd parent;
    std::string name;
    policy::UserId user;
  };
  static Result<std::unique_ptr<ArchiveUnpacking>> Start(const std::string& worker, Words words,
                                                         Place place, const extract::Limits& limits,
                                                         Hooks hooks);

  Result<void> Write(const SharedBytes& piece, const run::Patience& patience) override;
  Result<run::ArchiveSummary> Finish(const run::Patience& patience) override;
  [[nodiscard]] std::string code() const override { return code_; }

 private:
  ArchiveUnpacking(Words words, Place place, const extract::Limits& limits,
                   extract::WorkerProcess worker, Hooks hooks)
      : words_(std::move(words)),
        place_(std::move(place)),
        limits_(limits),
        worker_(std::move(worker)),
        hooks_(std::move(hooks)) {
    // Also while it takes nothing: what it does with the disk is its own choice.
    worker_.Watch([this] { return hooks_.check_room().has_value(); });
  }

  [[nodiscard]] Error Refused(const extract::Refusal& refusal, const run::Patience& patience);

  const Words words_;
  const Place place_;
  const extract::Limits limits_;
  extract::WorkerProcess worker_;
  const Hooks hooks_;
  Sha256 hash_;
  std::uint64_t archive_bytes_ = 0;
  std::string code_;
};

}  // namespace tidewaiter::files
