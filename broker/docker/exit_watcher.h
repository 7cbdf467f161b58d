// Knows when containers end. One event stream of the engine serves every run; there is no call per
// container while it runs. A stream that is lost is opened again, and then every watched container
// is looked at: what was missed is found by asking, never assumed. While something is watched, an
// engine that says nothing for long is pinged; one that does not answer has lost its stream.
//
// Threads: two of its own, one that holds the stream open, one that asks; events arrive on the
// loop's thread. Thread-safe. It never removes or changes anything on the engine.
#pragma once

#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/completion.h"
#include "base/guarded.h"
#include "base/result.h"
#include "broker/docker/engine_api.h"
#include "broker/docker/engine_event.h"
#include "broker/docker/settings.h"
#include "broker/run/backend.h"

namespace tidewaiter::docker {

class ExitWatcher {
  using Clock = Deadline::Clock;

 public:
  struct Watched {
    std::string container_id;
    // Its labels can overwrite the exit code in its event (see EngineEvent::exit_code): the engine
    // is then asked for the code.
    bool forgeable = false;
    // Who waits for it has a time limit and can wait: an engine that is away for long has not lost
    // it.
    bool outlasts_engine = false;
  };

  // One container under watch, until it is destroyed.
  class Watch {
   public:
    Watch(ExitWatcher& owner, const Watched& watched);
    ~Watch();
    Watch(const Watch&) = delete;
    Watch& operator=(const Watch&) = delete;
    Completion<run::ContainerExit>& exited() noexcept { return state_->exited; }

    // Signs that it has ended, whose event should be on its way. Should it have been missed, the
    // engine is asked: at once where it says that the container does not run, a moment later where
    // only the container's streams have ended, of which the first time counts. Any thread; never
    // blocks.
    void NotRunning();
    void StreamsEnded();
    // Whether they ended with the engine, whatever became of the container: its events ended about
    // then, too, or it was away when it was asked.
    [[nodiscard]] bool StreamsCutOff();

   private:
    friend class ExitWatcher;
    struct State {
      explicit State(const Watched& watched)
          : forgeable(watched.forgeable), outlasts_engine(watched.outlasts_engine) {}
      const bool forgeable;
      const bool outlasts_engine;
      Completion<run::ContainerExit> exited;
      // The rest under the watcher's lock.
      Clock::time_point since = Clock::now();  // the engine was there then
      bool out_of_memory = false;
      bool died = false;                      // an event said so
      std::optional<std::int32_t> died_with;  // and how, while that is being checked
      bool streams_ended = false;
      Clock::time_point streams_ended_at;
      bool answered_since = false;  // the engine, when asked after that
      bool cut_off = false;
      bool asked_for_cause = false;                    // again, of one that was killed
      int checks_left = 20;                            // of one that died and is still said to run
      std::optional<Clock::time_point> failing_since;  // questions about it: an error each time
      void CutOff() { cut_off = cut_off || !exited.Peek(); }
    };
    ExitWatcher& owner_;
    const std::string container_id_;
    const std::shared_ptr<State> state_;
  };

  // `on_lost` is called on a thread of its own whenever the stream has been lost: the next engine
  // may be another one.
  ExitWatcher(EngineApi& api, const DockerSettings& settings, std::function<void()> on_lost);
  ~ExitWatcher();  // every Watch must be gone
  ExitWatcher(const ExitWatcher&) = delete;
  ExitWatcher& operator=(const ExitWatcher&) = delete;

  // To be called before the container is started, so that its end cannot be missed.
  std::unique_ptr<Watch> Add(const Watched& watched);

  // Waits until the stream is open. The error is the last attempt's.
  Result<void> WaitUntilFollowing(const run::Patience& patience);

 private:
  using StatePtr = std::shared_ptr<Watch::State>;
  struct Shared {
    std::map<std::string, StatePtr> watches;            // by container id
    std::map<std::string, Clock::time_point> to_check;  // when which one is to be asked about
    bool following = false;
    std::stop_source stream;  // ends the stream that is being followed
    Clock::time_point asked;  // when the engine last gave a sign of life, or was asked for one
    std::string since;        // where a new stream begins
    std::optional<Error> last_error;
    Clock::time_point alive = Clock::now();      // when the engine last gave a sign of life
    std::optional<Clock::time_point> broke_off;  // when it last ended a stream of events
  };

  void FollowLoop(const std::stop_token& stop);
  void CheckLoop(const std::stop_token& stop);
  Error FollowOnce(const std::stop_token& stop);
  bool OnLine(std::string_view line);
  void OnEvent(Shared& shared, const EngineEvent& event);
  void CheckAll();
  void OnBrokenOff();
  void CheckAt(const std::string& id, Clock::time_point when);
  [[nodiscard]] std::vector<std::string> TakeDue();
  [[nodiscard]] Clock::time_point NextWork(const Shared& shared) const;
  // In how long to ask again, if at all.
  std::optional<std::chrono::milliseconds> CheckOne(const std::string& id,
                                                    const std::stop_token& stop);
  void PingWhereSilent(const std::stop_token& stop);
  void GiveUpWhereSilent(const Error& error);

  EngineApi& api_;
  const DockerSettings& settings_;
  const std::function<void()> on_lost_;
  Guarded<Shared> shared_;
  std::condition_variable_any changed_;
  std::jthread follower_;  // last: they use everything above
  std::jthread checker_;
};

}  // namespace tidewaiter::docker
