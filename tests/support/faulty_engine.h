// Stands between a broker and an engine, the real one or the stand-in: passes every call on, counts
// it, and does to one or more of them what a failing engine, network or host would do. One thread
// per connection; a call ends in the order in which its bytes went.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <functional>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "tests/support/engine_dialect.h"
#include "tests/support/http_exchange.h"
#include "tests/support/stand_in_server.h"

namespace tidewaiter::testing {

enum class EngineFault {
  kNone,
  kRefuse,       // hung up on; for a while nobody listens, and the event stream breaks
  kResetBefore,  // hung up on, not passed on
  kResetAfter,   // passed on, then hung up on instead of answered
  kError500,     // not passed on, answered so
  kConflict409,
  kNotFound404,
  kBusy429,  // of an API server that has too much to do
  kUnavailable503,
  kHang,         // not passed on, not answered
  kLate,         // not answered; passed on after the caller has given up
  kSlow,         // passed on, answered a few bytes at a time
  kTruncated,    // the answer's JSON ends in the middle
  kLongLength,   // the answer's head claims more than there is, then the connection ends
  kShortLength,  // the answer's head claims less: the rest comes where nothing should
  // The broker gets SIGKILL (see SetKill) and no answer:
  kKillBefore,  // not passed on
  kKillAfter,   // passed on and carried out
  kKillLate,    // passed on only once Release has been called
};

std::string_view NameOf(EngineFault fault);
inline bool Kills(EngineFault fault) {
  return fault >= EngineFault::kKillBefore;
}
// Those that do not kill, those of an API server among them, and those that do.
std::vector<EngineFault> AllFaults();
std::vector<EngineFault> AllClusterFaults();
std::vector<EngineFault> AllKills();

class FaultyEngine {
 public:
  // Asked for each call that counts. `call`: EngineDialect::call.
  using Decide = std::function<EngineFault(std::size_t index, const std::string& call)>;

  // `address`: as StandInServer takes it. `engine`: as ConnectTo takes it.
  FaultyEngine(std::string address, std::string engine,
               const EngineDialect& dialect = DockerDialect());
  // The engine must be there until then.
  ~FaultyEngine();
  FaultyEngine(const FaultyEngine&) = delete;
  FaultyEngine& operator=(const FaultyEngine&) = delete;

  // Counts from 0 again. What is under way goes on as it was decided.
  void Arm(Decide decide);
  void Disarm() { Arm({}); }
  // Every call since Arm but those that come when they want (EngineDialect::is_background): those
  // are passed on and not counted.
  [[nodiscard]] std::vector<std::string> Calls() const;
  // Sends SIGKILL to the broker; called on a connection's thread.
  void SetKill(std::function<void()> kill);
  // Whether a kill has been decided on that is still to come.
  [[nodiscard]] bool Killing() const;
  // Whether there is something under way that the engine is to carry out late (kLate).
  [[nodiscard]] bool Owes() const;
  // Passes on what kKillLate holds back, and waits until the engine has carried it out.
  void Release();
  // While set, what is to be done with the creation of a container waits, for less than a second.
  void HoldCreates(bool hold);
  [[nodiscard]] const std::string& create() const { return dialect_.create; }
  // Whether the broker follows the engine's events.
  [[nodiscard]] bool Followed() const;
  // Breaks the event streams, in the middle of a chunk.
  void CutEvents();
  // While set, whoever asks for events is answered 500.
  void DenyEvents(bool deny);
  // Breaks the streams of what containers write.
  void CutOutputs();
  // Breaks everything, and is not there for a while. Returns when it is back.
  void Restart();

  [[nodiscard]] const std::string& address() const { return server_.address(); }

 private:
  void Handle(const StandInRequest& request, StandInConnection& connection);
  [[nodiscard]] EngineFault DecideOn(const StandInRequest& request, const std::string& call);
  void Deny(const StandInRequest& request, StandInConnection& connection, int status) const;
  HttpAnswer CarryOut(const StandInRequest& request, int engine) const;
  void CarryOutUnheard(const StandInRequest& request, StandInConnection& connection,
                       EngineFault fault);
  void Pass(const StandInRequest& request, StandInConnection& connection, EngineFault fault);
  void PassStream(const StandInRequest& request, StandInConnection& connection, int engine,
                  const HttpAnswer& answer, EngineFault fault);
  void Refuse(StandInConnection& connection);
  void BeAway();
  void Kill();
  void WaitWhileHeld(const std::string& call);
  void WaitUntilGone(StandInConnection& connection) const;

  const std::string engine_;
  const EngineDialect& dialect_;
  mutable std::mutex mutex_;
  Decide decide_;
  std::vector<std::string> calls_;
  std::function<void()> kill_;
  std::set<int> followers_;  // descriptors of open event streams
  std::set<int> outputs_;    // and of streams of containers' output
  bool events_denied_ = false;
  int outages_ = 0;
  int kills_under_way_ = 0;
  std::uint64_t released_ = 0;
  int held_ = 0;
  int late_ = 0;
  bool creates_held_ = false;
  std::condition_variable changed_;  // released_, held_, creates_held_, stopping_
  std::atomic<bool> stopping_{false};
  StandInServer server_;  // last: its threads use what stands above
};

}  // namespace tidewaiter::testing
