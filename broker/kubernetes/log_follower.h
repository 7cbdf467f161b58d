// Hands a container's output on while it runs: the cluster's log of it, from its first byte, or
// from where somebody's copy ends. A stream that is cut is taken up again, and what is there
// already is passed over by counting, provided that it is still the same: a log that was rotated
// meanwhile is told as a loss, and not pieced together wrongly. No thread of its own, since
// hundreds of runs may wait: the sink is written to on the HTTP client's loop, and what comes next
// is decided on another one.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/completion.h"
#include "base/deadline.h"
#include "base/result.h"
#include "broker/io/event_loop.h"
#include "broker/kubernetes/cluster_api.h"
#include "broker/kubernetes/run_watcher.h"
#include "broker/kubernetes/stdin_feeder.h"
#include "broker/run/backend.h"
#include "broker/run/log_prefix.h"

namespace tidewaiter::kubernetes {

class LogFollower final : public run::Attachment {
 public:
  // `tracked`, `sink` and `steps` must outlive it. Begins once the run's container has started.
  // `steps`: not the HTTP client's own loop, for a token's file may be read there. `stdin_to`: null
  // where it reads none. `has`: what of the log is not to be handed on, since it was before.
  LogFollower(ClusterApi& api, RunWatcher::Tracked& tracked, run::OutputSink& sink,
              io::EventLoop& steps, std::unique_ptr<StdinFeeder> stdin_to, run::LogPosition has);
  // On neither loop.
  ~LogFollower() override;
  LogFollower(const LogFollower&) = delete;
  LogFollower& operator=(const LogFollower&) = delete;

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
  enum class Phase { kAwaitsStart, kReads, kAwaitsNews, kPauses, kOver };
  // What tasks hold that may run when this is gone.
  struct Life {
    LogFollower* self = nullptr;  // the steps' loop only
  };

  // On the HTTP client's loop.
  io::StreamNext OnData(std::string_view data);
  [[nodiscard]] std::uint64_t Had() const;
  [[nodiscard]] bool IsWhatItHad(const run::LogPrefix& prefix) const;
  // The rest on the steps' loop.
  void OnNews();
  void Read();
  void OnEnd(const Result<void>& read);
  void AwaitNews();
  // Whether the container has ended; from then on attempts are counted.
  bool SeesEnd();
  void Again(const Result<void>& read);
  void End(std::optional<Error> error);
  // Posts a call of this object, as long as there is one.
  template <typename Task>
  void Post(Task task);
  void CallAt(Deadline when, void (LogFollower::*step)());

  ClusterApi& api_;
  RunWatcher::Tracked& tracked_;
  run::OutputSink& sink_;
  io::EventLoop& steps_;
  const std::unique_ptr<StdinFeeder> stdin_;
  const std::shared_ptr<Life> life_ = std::make_shared<Life>();
  io::StreamControl control_;

  Phase phase_ = Phase::kAwaitsStart;
  std::string pod_;
  std::unique_ptr<io::HttpStream> stream_;
  io::EventLoop::TimerId timer_ = 0;
  bool container_ended_ = false;  // as far as SeesEnd has told
  std::uint64_t before_ = 0;      // what it had by then
  int failures_ = 0;
  std::chrono::milliseconds wait_;
  Deadline usual_ = Deadline::Never();
  Deadline news_until_ = Deadline::Never();

  // While it reads of the HTTP client's loop, else of the steps'.
  std::optional<run::LogPosition> former_;  // instead of the next one, until it has come again
  run::LogPrefix handed_on_;
  std::optional<run::LogPrefix> again_;  // what of it this stream has brought; none once all
  bool differs_ = false;

  Completion<std::optional<Error>> ended_;
};

}  // namespace tidewaiter::kubernetes
