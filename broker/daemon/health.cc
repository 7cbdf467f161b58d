#include "broker/daemon/health.h"

#include <utility>

namespace tidewaiter::daemon {

void Health::Tell(std::function<void(bool serving)> tell) {
  auto state = state_.Lock();
  state->tell = std::move(tell);
  state->Update();
}

void Health::SetAuditWorks(bool works) {
  auto state = state_.Lock();
  state->audit_works = works;
  state->Update();
}

void Health::SetStopping() {
  auto state = state_.Lock();
  state->stopping = true;
  state->Update();
}

Health::Standing Health::Now() {
  return *state_.Lock();
}

}  // namespace tidewaiter::daemon
