// Hands a container's output on while it runs: the cluster's log of it, from its first byte. A
// stream that is cut is taken up again, and what was handed on is passed over by counting, provided
// that it is still the same: a log that was rotated meanwhile is told as a loss, never pieced
// together wrongly. One thread of its own; the sink is written to on the loop's thread.
#pragma once

#include <openssl/evp.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "base/completion.h"
#include "base/result.h"
#include "broker/kubernetes/cluster_api.h"
#include "broker/kubernetes/run_watcher.h"
#include "broker/kubernetes/stdin_feeder.h"
#include "broker/run/backend.h"

namespace tidewaiter::kubernetes {

// Counts what was handed on, and hashes it.
class LogPrefix {
 public:
  LogPrefix();
  [[nodiscard]] std::uint64_t bytes() const noexcept { return bytes_; }
  void Add(std::string_view data);
  [[nodiscard]] bool SameAs(const LogPrefix& other) const;

 private:
  [[nodiscard]] std::string Digest() const;
  struct ContextDeleter {
    void operator()(EVP_MD_CTX* context) const noexcept { EVP_MD_CTX_free(context); }
  };
  std::unique_ptr<EVP_MD_CTX, ContextDeleter> context_;
  std::uint64_t bytes_ = 0;
};

class LogFollower final : public run::Attachment {
 public:
  // `tracked` and `sink` must outlive it. Begins once the run's container has started. `stdin_to`:
  // null where it reads none.
  LogFollower(ClusterApi& api, RunWatcher::Tracked& tracked, run::OutputSink& sink,
              std::unique_ptr<StdinFeeder> stdin_to);
  ~LogFollower() override;

  Completion<std::optional<Error>>& ended() override { return ended_; }
  std::size_t WriteStdin(std::span<const std::byte> data) override {
    return stdin_ ? stdin_->Write(data) : data.size();
  }
  void SetOnStdinRoom(std::function<void()> on_room) override {
    if (stdin_) stdin_->SetOnRoom(std::move(on_room));
  }
  void CloseStdin() override {
    if (stdin_) stdin_->Close();
  }

 private:
  void Follow(const std::stop_token& stop);
  Result<void> FollowOnce(const std::string& pod, bool follow, const std::stop_token& stop);
  io::StreamNext OnData(std::string_view data, LogPrefix& seen);

  ClusterApi& api_;
  RunWatcher::Tracked& tracked_;
  run::OutputSink& sink_;
  const std::unique_ptr<StdinFeeder> stdin_;
  io::StreamControl control_;
  LogPrefix handed_on_;
  bool differs_ = false;
  Completion<std::optional<Error>> ended_;
  std::jthread thread_;  // last: it uses the others
};

}  // namespace tidewaiter::kubernetes
