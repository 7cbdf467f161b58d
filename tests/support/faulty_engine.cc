#include "tests/support/faulty_engine.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <utility>

namespace tidewaiter::testing {
namespace {

// Longer than a client's own attempts at one call take.
constexpr int kOutageMillis = 400;
// After the caller has given up.
constexpr int kLateMillis = 150;
// Below the create_timeout of those who hold one: else it is a call that comes late.
constexpr std::chrono::milliseconds kHeldAtMost(700);
constexpr std::size_t kDribble = 4;
constexpr int kDribbleMillis = 5;

bool IsWebSocket(const HttpAnswer& answer) {
  return LowerCase(answer.head).find("\r\nsec-websocket-accept:") != std::string::npos;
}

bool IsCut(EngineFault fault) {
  return fault == EngineFault::kTruncated || fault == EngineFault::kLongLength ||
         fault == EngineFault::kShortLength;
}

// What comes in place of the messages (RFC 6455, 5.2): the beginning of an archive on channel 1, a
// frame that claims more than there is, and bytes that are no frame after one.
std::string BrokenMessage(EngineFault fault) {
  if (fault == EngineFault::kTruncated) return std::string("\x82\x07\1origin", 9);
  if (fault == EngineFault::kLongLength) return std::string("\x82\x7e\x40\0\1origin", 11);
  return std::string("\x82\x01\1\7\7\7\7\7\7\7", 10);
}

void PauseFor(int millis) {
  ::poll(nullptr, 0, millis);
}

}  // namespace

std::string_view NameOf(EngineFault fault) {
  switch (fault) {
    case EngineFault::kNone: return "no fault";
    case EngineFault::kRefuse: return "refused";
    case EngineFault::kResetBefore: return "reset before effect";
    case EngineFault::kResetAfter: return "reset after effect";
    case EngineFault::kError500: return "500";
    case EngineFault::kConflict409: return "409";
    case EngineFault::kNotFound404: return "404";
    case EngineFault::kBusy429: return "429";
    case EngineFault::kUnavailable503: return "503";
    case EngineFault::kHang: return "hang";
    case EngineFault::kLate: return "carried out late";
    case EngineFault::kSlow: return "slow";
    case EngineFault::kTruncated: return "truncated JSON";
    case EngineFault::kLongLength: return "length too long";
    case EngineFault::kShortLength: return "length too short";
    case EngineFault::kKillBefore: return "SIGKILL before effect";
    case EngineFault::kKillAfter: return "SIGKILL after effect";
    case EngineFault::kKillLate: return "SIGKILL, effect after the restart";
  }
  return "?";
}

std::vector<EngineFault> AllFaults() {
  return {EngineFault::kRefuse,    EngineFault::kResetBefore, EngineFault::kResetAfter,
          EngineFault::kError500,  EngineFault::kConflict409, EngineFault::kNotFound404,
          EngineFault::kHang,      EngineFault::kLate,        EngineFault::kSlow,
          EngineFault::kTruncated, EngineFault::kLongLength,  EngineFault::kShortLength};
}

std::vector<EngineFault> AllClusterFaults() {
  std::vector<EngineFault> faults = AllFaults();
  faults.insert(faults.end(), {EngineFault::kBusy429, EngineFault::kUnavailable503});
  return faults;
}

std::vector<EngineFault> AllKills() {
  return {EngineFault::kKillBefore, EngineFault::kKillAfter, EngineFault::kKillLate};
}

FaultyEngine::FaultyEngine(std::string address, std::string engine, const EngineDialect& dialect)
    : engine_(std::move(engine)),
      dialect_(dialect),
      server_(std::move(address),
              [this](const StandInRequest& request, StandInConnection& connection) {
                Handle(request, connection);
              }) {}

FaultyEngine::~FaultyEngine() {
  const std::lock_guard lock(mutex_);
  stopping_ = true;
  changed_.notify_all();
}

void FaultyEngine::Arm(Decide decide) {
  const std::lock_guard lock(mutex_);
  decide_ = std::move(decide);
  calls_.clear();
}

std::vector<std::string> FaultyEngine::Calls() const {
  const std::lock_guard lock(mutex_);
  return calls_;
}

void FaultyEngine::SetKill(std::function<void()> kill) {
  const std::lock_guard lock(mutex_);
  kill_ = std::move(kill);
}

void FaultyEngine::Release() {
  std::unique_lock lock(mutex_);
  ++released_;
  changed_.notify_all();
  changed_.wait(lock, [&] { return held_ == 0; });
}

void FaultyEngine::HoldCreates(bool hold) {
  const std::lock_guard lock(mutex_);
  creates_held_ = hold;
  changed_.notify_all();
}

void FaultyEngine::WaitWhileHeld(const std::string& call) {
  if (call != dialect_.create) return;
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, kHeldAtMost, [&] { return stopping_ || !creates_held_; });
}

bool FaultyEngine::Followed() const {
  const std::lock_guard lock(mutex_);
  return followers_.size() >= dialect_.streams;
}

void FaultyEngine::CutEvents() {
  const std::lock_guard lock(mutex_);
  for (const int fd : followers_) ::shutdown(fd, SHUT_RDWR);
}

void FaultyEngine::DenyEvents(bool deny) {
  const std::lock_guard lock(mutex_);
  events_denied_ = deny;
}

void FaultyEngine::CutOutputs() {
  const std::lock_guard lock(mutex_);
  for (const int fd : outputs_) ::shutdown(fd, SHUT_RDWR);
}

EngineFault FaultyEngine::DecideOn(const StandInRequest& request, const std::string& call) {
  if (dialect_.is_background(request)) return EngineFault::kNone;
  const std::lock_guard lock(mutex_);
  const std::size_t index = calls_.size();
  calls_.push_back(call);
  const EngineFault fault = decide_ ? decide_(index, call) : EngineFault::kNone;
  if (Kills(fault)) ++kills_under_way_;
  if (fault == EngineFault::kLate) ++late_;
  return fault;
}

void FaultyEngine::Handle(const StandInRequest& request, StandInConnection& connection) {
  {
    const std::lock_guard lock(mutex_);
    if (outages_ > 0) return connection.Reset();
    if (events_denied_ && dialect_.is_events(request)) return Deny(request, connection, 500);
  }
  const std::string call = dialect_.call(request);
  const EngineFault fault = DecideOn(request, call);
  WaitWhileHeld(call);
  switch (fault) {
    case EngineFault::kRefuse: return Refuse(connection);
    case EngineFault::kResetBefore: return connection.Reset();
    case EngineFault::kError500: return Deny(request, connection, 500);
    case EngineFault::kConflict409: return Deny(request, connection, 409);
    case EngineFault::kNotFound404: return Deny(request, connection, 404);
    case EngineFault::kBusy429: return Deny(request, connection, 429);
    case EngineFault::kUnavailable503: return Deny(request, connection, 503);
    case EngineFault::kHang: WaitUntilGone(connection); return connection.Reset();
    case EngineFault::kKillBefore: Kill(); return connection.Reset();
    case EngineFault::kResetAfter:
    case EngineFault::kLate:
    case EngineFault::kKillAfter:
    case EngineFault::kKillLate: return CarryOutUnheard(request, connection, fault);
    default: return Pass(request, connection, fault);
  }
}

void FaultyEngine::Deny(const StandInRequest& request, StandInConnection& connection,
                        int status) const {
  connection.Answer(status, dialect_.refusal(request, status));
}

void FaultyEngine::WaitUntilGone(StandInConnection& connection) const {
  while (!stopping_ && !connection.PeerGone(1000)) {
  }
}

void FaultyEngine::Refuse(StandInConnection& connection) {
  CutEvents();
  connection.Reset();
  BeAway();
}

void FaultyEngine::Restart() {
  server_.HangUp();
  BeAway();
}

// As an engine that is being restarted: its socket is not there.
void FaultyEngine::BeAway() {
  {
    const std::lock_guard lock(mutex_);
    if (outages_++ == 0) server_.SetAway(true);
  }
  PauseFor(kOutageMillis);
  const std::lock_guard lock(mutex_);
  if (--outages_ == 0) server_.SetAway(false);
}

void FaultyEngine::Kill() {
  std::function<void()> kill;
  {
    const std::lock_guard lock(mutex_);
    kill = kill_;
  }
  if (kill) kill();
  const std::lock_guard lock(mutex_);
  --kills_under_way_;
}

bool FaultyEngine::Killing() const {
  const std::lock_guard lock(mutex_);
  return kills_under_way_ > 0;
}

bool FaultyEngine::Owes() const {
  const std::lock_guard lock(mutex_);
  return late_ > 0;
}

// What the engine says to it; nobody hears of that where the broker is killed or has given up.
HttpAnswer FaultyEngine::CarryOut(const StandInRequest& request, int engine) const {
  if (engine < 0 || !SendAll(engine, request.head + request.body)) return {};
  return ReadAnswer(engine, dialect_.is_endless(request));
}

void FaultyEngine::CarryOutUnheard(const StandInRequest& request, StandInConnection& connection,
                                   EngineFault fault) {
  if (fault == EngineFault::kLate) {
    WaitUntilGone(connection);
    PauseFor(kLateMillis);
  }
  const bool held = fault == EngineFault::kKillLate;
  if (held) {
    std::uint64_t before = 0;
    {
      const std::lock_guard lock(mutex_);
      before = released_;
      ++held_;
    }
    Kill();
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return stopping_ || released_ != before; });
  }
  CarryOut(request, ConnectTo(engine_).get());
  if (fault == EngineFault::kLate) {
    const std::lock_guard lock(mutex_);
    --late_;
  }
  if (held) {
    const std::lock_guard lock(mutex_);
    --held_;
    changed_.notify_all();
  }
  if (fault == EngineFault::kKillAfter) Kill();
  connection.Reset();
}

void FaultyEngine::Pass(const StandInRequest& request, StandInConnection& connection,
                        EngineFault fault) {
  const UniqueFd engine = ConnectTo(engine_);
  const HttpAnswer answer = CarryOut(request, engine.get());
  if (answer.status == 0) return connection.Reset();
  if (answer.stream) return PassStream(request, connection, engine.get(), answer, fault);
  const std::string& body = answer.body;
  const auto length = static_cast<long>(body.size());
  switch (fault) {
    case EngineFault::kSlow: {
      const std::string whole = Framed(answer, body);
      for (std::size_t at = 0; at < whole.size() && !stopping_; at += kDribble) {
        if (connection.PeerGone(kDribbleMillis)) return connection.Reset();
        if (!connection.Raw(std::string_view(whole).substr(at, kDribble))) return;
      }
      return;
    }
    case EngineFault::kTruncated:
      if (!body.empty()) {
        connection.Raw(Framed(answer, std::string_view(body).substr(0, body.size() / 2)));
        return;
      }
      connection.Raw(answer.head.substr(0, answer.head.size() / 2));
      return connection.Reset();
    case EngineFault::kLongLength:
      connection.Raw(Framed(answer, body, length + 10));
      return connection.Reset();
    case EngineFault::kShortLength:
      connection.Raw(Framed(answer, body.empty() ? "{}" : body, length / 2));
      return;
    default: connection.Raw(Framed(answer, body)); return;
  }
}

// Events and attached streams have no length: what is cut or false there is a chunk or a frame.
void FaultyEngine::PassStream(const StandInRequest& request, StandInConnection& connection,
                              int engine, const HttpAnswer& answer, EngineFault fault) {
  connection.CloseAfterwards();
  const bool chunked = answer.status != 101;
  const bool events = dialect_.is_events(request);
  if (IsWebSocket(answer) && IsCut(fault)) {
    connection.Raw(answer.head + BrokenMessage(fault));
    return connection.Reset();
  }
  if (fault == EngineFault::kSlow) {
    for (std::size_t at = 0; at < answer.head.size() && !stopping_; at += kDribble) {
      if (connection.PeerGone(kDribbleMillis)) return connection.Reset();
      if (!connection.Raw(std::string_view(answer.head).substr(at, kDribble))) return;
    }
    if (!connection.Raw(answer.body)) return;
  } else if (!connection.Raw(answer.head + answer.body)) {
    return;
  }
  switch (fault) {
    case EngineFault::kTruncated:
      connection.Raw(chunked ? "9\r\n{\"status\n\r\n" : std::string_view("\1\0\0\0", 4));
      return connection.Reset();
    case EngineFault::kLongLength:
      connection.Raw(chunked ? "ff\r\n{}" : std::string_view("\1\0\0\0\0\0\0\x09x", 9));
      return connection.Reset();
    case EngineFault::kShortLength:
      connection.Raw(chunked ? "1\r\n{}{}{}\r\n" : std::string_view("\7\7\7\7\7\7\7\7\7", 9));
      return connection.Reset();
    default: break;
  }
  std::set<int>* const known = events ? &followers_ : &outputs_;
  {
    const std::lock_guard lock(mutex_);
    known->insert(connection.fd());
  }
  Splice(connection.fd(), engine);
  const std::lock_guard lock(mutex_);
  known->erase(connection.fd());
}

}  // namespace tidewaiter::testing
