// A run that a former broker has begun, detached, and left: its directory and its container, which
// a registry on fakes adopts.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <set>
#include <string>
#include <utility>

#include "broker/run/detached_run.h"
#include "tests/support/core_world.h"
#include "tests/support/eventually.h"

namespace tidewaiter::testing {

class AdoptionWorld : public ::testing::Test, public CoreWorld {
 protected:
  AdoptionWorld() {
    entry_.run_id = RunId(RandomId());
    entry_.broker_id = environment.broker_id;
    entry_.backend = "docker";
    entry_.caller = Alice();
    entry_.resources = {container_};
    entry_.resolved = {.digest = "sha256:dd", .image_id = "sha256:ii"};
    entry_.detachment = run::Detachment();
    entry_.detachment->idempotency_key = "k";
    entry_.detachment->log_bytes = 1000;
    entry_.detachment->timeout = std::chrono::minutes(10);
    entry_.detachment->launch = run::Launch::Now();
    environment.settings.reap_retry_min = std::chrono::milliseconds(1);
    environment.settings.reap_retry_max = std::chrono::milliseconds(5);
  }
  // A former broker's container, which runs or has been made only.
  std::shared_ptr<FakeContainerState> Leave(bool started = true) {
    return engine.Leave(container_, entry_.run_id, started);
  }
  void Recover() {
    journal.Leave(entry_);
    ASSERT_TRUE(registry().RecoverLeftovers());
    auto found = registry().FindDetached(entry_.run_id, Owner());
    ASSERT_TRUE(found);
    run_ = *std::move(found);
  }
  run::DetachedRun::State Ended() {
    EXPECT_TRUE(Eventually([&] { return run_->Get().kept.has_value(); }));
    EXPECT_EQ(engine.Existing(), std::set<std::string>());
    EXPECT_TRUE(journal.Entries().empty());
    EXPECT_EQ(audit.Count(FakeAudit::Type::kRunFinished), 1U);
    run::DetachedRun::State state = run_->Get();
    if (!state.outcome) state.outcome.emplace();
    return state;
  }
  // One of this broker's own.
  Result<run::RunRegistry::Detached> Begin(
      const std::string& key,
      std::shared_ptr<run::RunObserver> starter = std::make_shared<FakeObserver>()) {
    policy::RunSpec spec = Spec();
    spec.idempotency_key = key;
    return registry().LaunchDetached({.caller = Alice(),
                                      .spec = std::move(spec),
                                      .with_stdin = false,
                                      .observer = std::move(starter),
                                      .uploads = nullptr});
  }
  std::string Words() { return run_->Get().outcome->message; }

  const run::Resource container_{
      .kind = run::Resource::Kind::kContainer, .name = "tw-run-x", .id = "cc"};
  run::JournalEntry entry_;
  std::shared_ptr<run::DetachedRun> run_;
};

}  // namespace tidewaiter::testing
