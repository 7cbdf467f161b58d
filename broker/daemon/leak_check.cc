#include "broker/daemon/leak_check.h"

#include <utility>

namespace tidewaiter::daemon {
namespace {

constexpr std::chrono::seconds kEnginePatience(10);  // twice that is within a client's 30 s
constexpr std::size_t kMaxLeaks = 1000;

v1::LeakReport ToProto(std::vector<Leak> leaks) {
  v1::LeakReport report;
  report.set_found(leaks.size());
  if (leaks.size() > kMaxLeaks) leaks.resize(kMaxLeaks);
  for (Leak& leak : leaks) {
    v1::Leak& added = *report.add_leaks();
    added.set_kind(std::move(leak.kind));
    added.set_id(std::move(leak.id));
    added.set_run_id(std::move(leak.run_id));
    added.set_where(std::move(leak.where));
    added.set_cause(std::move(leak.cause));
  }
  return report;
}

}  // namespace

Result<v1::DiagnoseResponse> LeakCheck::Run() {
  const std::unique_lock alone(busy_, std::try_to_lock);
  if (!alone.owns_lock()) {
    return Fail(ErrorCode::kResourceExhausted, "look for leaks: a comparison is under way", "BUSY");
  }
  std::vector<Leak> leaks = Look();
  if (!leaks.empty()) {
    if (!Pause()) {
      return Fail(ErrorCode::kUnavailable, "look for leaks: the broker is stopping",
                  "SHUTTING_DOWN");
    }
    leaks = InBoth(leaks, Look());
  }
  v1::DiagnoseResponse response;
  response.set_version(TIDEWAITER_VERSION);
  response.set_broker_id(parts_.environment->broker_id.value());
  *response.mutable_leak_report() = ToProto(std::move(leaks));
  return response;
}

// False: stopped.
bool LeakCheck::Pause() {
  std::mutex mutex;
  std::unique_lock lock(mutex);
  paused_.wait_for(lock, stop_.get_token(), parts_.pause, [] { return false; });
  return !stop_.stop_requested();
}

std::vector<Leak> LeakCheck::Look() const {
  LeakSurvey survey{.broker_id = parts_.environment->broker_id,
                    .state_dir = parts_.state_dir,
                    .engines = {},
                    .state = journal::StateSurvey(),
                    .runs = {},
                    .kept = {}};
  for (const auto& [name, backend] : parts_.environment->backends) {
    survey.engines.emplace(name, backend->ListLabelled(Deadline::After(kEnginePatience)));
  }
  survey.state = journal::SurveyState(parts_.state_dir);
  survey.runs = parts_.registry->List({.principal = {}, .operate = true});
  survey.kept = parts_.registry->ListKept();
  return FindLeaks(survey);
}

}  // namespace tidewaiter::daemon
