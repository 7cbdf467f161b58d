#include "broker/daemon/health_watch.h"

#include <utility>

namespace tidewaiter::daemon {

HealthWatch::HealthWatch(io::EventLoop& loop, const Settings& settings, std::function<bool()> ask)
    : loop_(loop),
      settings_(settings),
      ask_(std::move(ask)),
      known_(std::make_shared<Guarded<Known>>()),
      thread_([this](const std::stop_token& stop) { Watch(stop); }) {}

bool HealthWatch::LoopTurns() {
  auto known = known_->Lock();
  return !known->turn_due || !known->turn_due->Passed();
}

bool HealthWatch::EngineAnswers() {
  return known_->Lock()->engine_answers;
}

void HealthWatch::Watch(const std::stop_token& stop) {
  Deadline ask_at = Deadline::After({});
  while (!stop.stop_requested()) {
    TurnTheLoop();
    if (ask_at.Passed()) {
      const bool answers = ask_();
      known_->Lock()->engine_answers = answers;
      ask_at = Deadline::After(settings_.engine_interval);
    }
    auto known = known_->Lock();
    known.Wait(stopped_, stop, Deadline::After(settings_.loop_interval), [] { return false; });
  }
}

// One task at a time: a loop that hangs collects no more of them.
void HealthWatch::TurnTheLoop() {
  {
    auto known = known_->Lock();
    if (known->turn_due) return;
    known->turn_due = Deadline::After(settings_.loop_patience);
  }
  loop_.Post([known = known_] { known->Lock()->turn_due.reset(); });
}

}  // namespace tidewaiter::daemon
