// A registry on fakes: what every test of the core begins with. Waits are short, so that a test of
// a deadline is quick; change `environment` before the first use of registry().
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "broker/run/environment.h"
#include "broker/run/run_registry.h"
#include "policy/host_paths.h"
#include "policy/policy_set.h"
#include "tests/support/fake_audit.h"
#include "tests/support/fake_backend.h"
#include "tests/support/fake_files.h"
#include "tests/support/fake_journal.h"
#include "tests/support/fake_observer.h"
#include "tests/support/fake_trace.h"

namespace tidewaiter::testing {

class NoHostPaths final : public policy::HostPaths {
 public:
  [[nodiscard]] Result<void> CheckTrusted(const std::string& path) const override {
    return Fail(ErrorCode::kNotFound, "trust '" + path + "': no such path");
  }
};

class FakeLog final : public Log {
 public:
  void Write(LogLevel /*level*/, std::string_view message) override {
    lines.Add(std::string(message));
  }
  FakeTrace lines;
};

// A launched run, as its client sees it.
struct Client {
  std::shared_ptr<FakeObserver> observer;
  std::shared_ptr<run::RunHandle> handle;  // null where the launch was refused
  std::string refusal;                     // its reason then

  FakeObserver* operator->() const { return observer.get(); }
  void Cancel() const { handle->RequestStop({.kind = run::StopCause::Kind::kCancelled, .by = {}}); }
  void Vanish() const {
    handle->RequestStop({.kind = run::StopCause::Kind::kClientGone, .by = {}});
  }
};

class CoreWorld {
 public:
  CoreWorld();

  // Launches `spec` for alice (uid 1001), bob (1002), or a uid that the policy does not know.
  Client Launch(const policy::RunSpec& spec = Spec(), const run::Caller& caller = Alice(),
                std::shared_ptr<run::UploadSource> uploads = nullptr);
  run::RunRegistry& registry();
  // Ends the registry, as the daemon does, and starts a new one with the same ports.
  void Restart() { registry_.reset(); }

  // A loaded policy file; fails the test where it does not load.
  static std::shared_ptr<const policy::PolicySet> ParsePolicy(const std::string& toml);
  // The file that a world begins with: ghcr.io/team/*, the principals alice, bob and auditor.
  static const char* PolicyToml();
  static policy::RunSpec Spec();
  static policy::RunSpec SpecWithTimeout(std::chrono::milliseconds timeout);
  static run::Caller Alice() { return {.uid = 1001, .gid = 100, .pid = 7, .principal = "alice"}; }
  static run::Caller Bob() { return {.uid = 1002, .gid = 100, .pid = 8, .principal = "bob"}; }
  static run::Viewer Owner() { return {.principal = "alice", .operate = false}; }
  static run::Viewer Operator() { return {.principal = "ops", .operate = true}; }

  // What every admitted run must have come to: one terminal record each, nothing on the engine, no
  // directory.
  void ExpectNothingLeft(std::size_t admitted = 1);

  FakeTrace trace;
  FakeBackend engine{trace};
  FakeAudit audit{trace};
  FakeJournal journal{trace};
  FakeFiles files{trace};
  NoHostPaths host_paths;
  FakeLog log;
  run::Environment environment;
  run::PoliciesInForce policies;

 private:
  std::unique_ptr<run::RunRegistry> registry_;  // last: it uses what stands above
};

}  // namespace tidewaiter::testing
