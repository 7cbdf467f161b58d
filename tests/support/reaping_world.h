// A core whose reaper has something to do.
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "tests/support/core_world.h"

namespace tidewaiter::testing {

class ReapingWorld : public ::testing::Test, public CoreWorld {
 public:
  // A run of a former process: on the engine, in the journal, and in the log as far as told.
  run::JournalEntry LeaveRun(bool admitted, bool finished) {
    run::JournalEntry entry;
    entry.run_id = RunId(RandomId());
    entry.broker_id = environment.broker_id;
    entry.backend = "docker";
    entry.caller = Alice();
    entry.requested_image = "team/job:1.2.3";
    entry.image = "ghcr.io/team/job:1.2.3";
    entry.resolved = {.digest = "sha256:dd", .image_id = "sha256:ii"};
    entry.log_mark = audit.Mark();
    entry.resources = {
        {.kind = run::Resource::Kind::kContainer, .name = "tw-" + entry.run_id.value(), .id = ""}};
    engine.Plant(
        {.kind = run::Resource::Kind::kContainer, .name = "tw-" + entry.run_id.value(), .id = "x"},
        entry.run_id);
    journal.Leave(entry);
    run::AuditEvent event;
    event.run_id = entry.run_id;
    event.type = FakeAudit::Type::kRunAdmitted;
    if (admitted) audit.AppendEventually(event);
    event.type = FakeAudit::Type::kRunFinished;
    if (finished) audit.AppendEventually(event);
    return entry;
  }
  void PlantStray(const std::string& name) {
    engine.Plant({.kind = run::Resource::Kind::kContainer, .name = name, .id = name}, RunId(name));
  }
};

}  // namespace tidewaiter::testing
