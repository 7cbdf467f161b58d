// From the decision to the slot: what is recorded, refused, queued, and in which order.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "broker/run/decide.h"
#include "tests/support/core_world.h"

namespace tidewaiter::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using Kind = run::Outcome::Kind;

class Admission : public ::testing::Test, public CoreWorld {};

TEST_F(Admission, DenialIsRecordedWithEveryViolationBeforeTheCallerHearsIt) {
  policy::RunSpec spec = Spec();
  spec.image = "docker.io/evil/job:1.0.0";
  spec.user = "0";
  Client client = Launch(spec);
  ASSERT_TRUE(client->WaitDone());
  EXPECT_THAT(client->told().All(), ElementsAre("denied", "done"));
  ASSERT_EQ(audit.Count(FakeAudit::Type::kRunDenied), 1U);
  EXPECT_EQ(audit.Of(FakeAudit::Type::kRunDenied)[0].violations, client->violations());
  EXPECT_EQ(audit.Of(FakeAudit::Type::kRunDenied)[0].request_sha256, "of " + spec.image);
  EXPECT_GE(client->violations().size(), 2U);
  EXPECT_THAT(trace.Of("engine:"), IsEmpty());
  EXPECT_THAT(trace.Of("journal:"), IsEmpty());
}

TEST_F(Admission, AnImagesPasswordIsInNoRecordOfItsDenialHoweverLongItIs) {
  policy::RunSpec spec = Spec();
  spec.image = "user:" + std::string(2000, 'x') + "@docker.io/evil/job:1.0.0";
  Client client = Launch(spec);
  ASSERT_TRUE(client->WaitDone());
  ASSERT_EQ(audit.Count(FakeAudit::Type::kRunDenied), 1U);
  const run::AuditEvent denied = audit.Of(FakeAudit::Type::kRunDenied)[0];
  EXPECT_EQ(denied.requested_image, "***@docker.io/evil/job:1.0.0");
  for (const policy::Violation& violation : denied.violations) {
    EXPECT_EQ(violation.message.find("xxx"), std::string::npos) << violation.message;
  }
}

TEST_F(Admission, ItsRecordHasTheRequestsDigestAndNoLaterOneDoes) {
  Client client = Launch();
  engine.WaitContainer()->Exit(0);
  ASSERT_TRUE(client->WaitDone());
  ASSERT_EQ(audit.Count(FakeAudit::Type::kRunAdmitted), 1U);
  EXPECT_EQ(audit.Of(FakeAudit::Type::kRunAdmitted)[0].request_sha256, "of " + Spec().image);
  ASSERT_EQ(audit.Count(FakeAudit::Type::kRunFinished), 1U);
  EXPECT_EQ(audit.Of(FakeAudit::Type::kRunFinished)[0].request_sha256, "");
}

TEST_F(Admission, WhatTheBackendCannotEnforceIsAViolation) {
  engine.Refuse({.rule = "backend.unsupported", .field = "runtime", .message = "", .remedy = ""});
  Client client = Launch();
  ASSERT_TRUE(client->WaitDone());
  ASSERT_EQ(client->violations().size(), 1U);
  EXPECT_EQ(client->violations()[0].field, "runtime");
}

TEST_F(Admission, UnknownBackendIsAViolation) {
  environment.default_backend = "kubernetes";
  Client client = Launch();
  ASSERT_TRUE(client->WaitDone());
  ASSERT_EQ(client->violations().size(), 1U);
  EXPECT_EQ(client->violations()[0].rule, "backend.unknown");
}

TEST_F(Admission, ThePolicysBackendRunsWhatNamesNoneAndHasToBeThere) {
  const std::string policy = std::string("backend = \"kubernetes\"") + PolicyToml();
  const auto set = ParsePolicy(policy);
  const run::RunRequest request{
      .caller = Alice(), .spec = Spec(), .observer = nullptr, .uploads = nullptr};
  run::Verdict verdict = run::Decide(environment, *set, request, *environment.host_paths);
  ASSERT_EQ(verdict.violations.size(), 1U);
  EXPECT_EQ(verdict.violations[0].rule, "backend.unknown");
  EXPECT_EQ(verdict.violations[0].remedy, "one of: docker");

  FakeBackend other(trace);
  environment.backends["kubernetes"] = &other;
  verdict = run::Decide(environment, *set, request, *environment.host_paths);
  EXPECT_EQ(verdict.backend, &other);
  ASSERT_TRUE(verdict.admitted);
  EXPECT_EQ(verdict.admitted->effective().backend, "kubernetes");
}

TEST_F(Admission, PrincipalThatThePolicyNoLongerKnowsIsDenied) {
  Client client = Launch(Spec(), {.uid = 4711, .gid = 1, .pid = 1, .principal = "alice"});
  ASSERT_TRUE(client->WaitDone());
  ASSERT_EQ(client->violations().size(), 1U);
  EXPECT_EQ(client->violations()[0].rule, "principal.unknown");
}

TEST_F(Admission, PrincipalWhoseUidNowMeansSomeoneElseIsDenied) {
  Client client = Launch(Spec(), {.uid = 1002, .gid = 1, .pid = 1, .principal = "alice"});
  ASSERT_TRUE(client->WaitDone());
  ASSERT_EQ(client->violations().size(), 1U);
  EXPECT_EQ(client->violations()[0].rule, "principal.unknown");
}

TEST_F(Admission, PrincipalWithoutTheRunRoleIsDenied) {
  Client client = Launch(Spec(), {.uid = 1003, .gid = 1, .pid = 1, .principal = "auditor"});
  ASSERT_TRUE(client->WaitDone());
  ASSERT_EQ(client->violations().size(), 1U);
  EXPECT_EQ(client->violations()[0].rule, "principal.role");
}

TEST_F(Admission, LogThatCannotBeWrittenStopsAdmissions) {
  audit.Set(FakeAudit::Way::kFails);
  Client client = Launch();
  ASSERT_TRUE(client->WaitDone());
  EXPECT_THAT(client->told().All(), ElementsAre("refused AUDIT_UNAVAILABLE", "done"));
  EXPECT_THAT(trace.Of("engine:"), IsEmpty());
  audit.Repair();
  ExpectNothingLeft(0);
}

TEST_F(Admission, LogThatCannotBeWrittenAlsoKeepsADenialBack) {
  audit.Set(FakeAudit::Way::kFails);
  policy::RunSpec spec = Spec();
  spec.image = "docker.io/evil/job:1.0.0";
  Client client = Launch(spec);
  ASSERT_TRUE(client->WaitDone());
  EXPECT_THAT(client->told().All(), ElementsAre("refused AUDIT_UNAVAILABLE", "done"));
}

TEST_F(Admission, AdmissionThatArrivesAfterItsDeadlineStillGetsItsEnd) {
  audit.Set(FakeAudit::Way::kArrivesLate);
  Client client = Launch();
  ASSERT_TRUE(client->WaitDone());
  EXPECT_THAT(client->told().All(), ElementsAre("refused AUDIT_UNAVAILABLE", "done"));
  audit.Repair();
  ASSERT_TRUE(trace.WaitFor("audit:finished"));
  ASSERT_TRUE(trace.WaitFor("journal:close"));
  EXPECT_EQ(audit.Of(FakeAudit::Type::kRunFinished).at(0).outcome->reason, "AUDIT_UNAVAILABLE");
  ExpectNothingLeft();
}

TEST_F(Admission, AdmissionThatNeverArrivesGetsNoEnd) {
  environment.settings.audit_deadline = std::chrono::milliseconds(20);
  audit.Set(FakeAudit::Way::kHangs);
  Client client = Launch();
  ASSERT_TRUE(client->WaitDone());
  EXPECT_THAT(client->told().All(), ElementsAre("refused AUDIT_UNAVAILABLE", "done"));
  audit.Repair();
  ASSERT_TRUE(trace.WaitFor("journal:close"));
  EXPECT_THAT(trace.Of("engine:"), IsEmpty());
  ExpectNothingLeft(0);
}

TEST_F(Admission, JournalThatCannotBeWrittenRefusesTheRunUnrecorded) {
  journal.FailOpen();
  Client client = Launch();
  ASSERT_TRUE(client->WaitDone());
  EXPECT_THAT(client->told().All(), ElementsAre("refused JOURNAL_UNAVAILABLE", "done"));
  ExpectNothingLeft(0);
}

TEST_F(Admission, RunsBeyondSlotsAndQueueAreRefused) {
  environment.settings.max_runs = 1;
  environment.settings.max_queued = 1;
  Client first = Launch();
  Client second = Launch();
  EXPECT_EQ(Launch().refusal, "NO_CAPACITY");
  first.Cancel();
  second.Cancel();
}

TEST_F(Admission, OnePrincipalLeavesPlacesToTheOthers) {
  environment.settings.max_runs_per_principal = 1;
  Client first = Launch();
  EXPECT_EQ(Launch().refusal, "NO_CAPACITY");
  Client other = Launch(Spec(), Bob());
  EXPECT_EQ(other.refusal, "");
  first.Cancel();
  other.Cancel();
}

TEST_F(Admission, QueuedRunsStartInTheOrderInWhichTheyCame) {
  environment.settings.max_runs = 1;
  Client first = Launch();
  ASSERT_TRUE(first->told().WaitFor("started"));
  Client second = Launch();
  ASSERT_TRUE(second->told().WaitFor("queued 0"));
  Client third = Launch();
  ASSERT_TRUE(third->told().WaitFor("queued 1"));
  EXPECT_EQ(registry().Count().active, 1U);
  EXPECT_EQ(registry().Count().queued, 2U);
  for (std::size_t i = 0; i < 3; ++i) engine.WaitContainer(i)->Exit(0);
  ASSERT_TRUE(third->WaitDone());
  EXPECT_EQ(engine.WaitContainer(1)->run_id(), second->run_id());
  EXPECT_EQ(engine.WaitContainer(2)->run_id(), third->run_id());
  ASSERT_TRUE(second->WaitDone());
  ASSERT_TRUE(first->WaitDone());
  ExpectNothingLeft(3);
}

TEST_F(Admission, QueueTimeoutIsRefusedAndStillRecorded) {
  environment.settings.max_runs = 1;
  environment.settings.queue_timeout = std::chrono::milliseconds(20);
  Client first = Launch();
  ASSERT_TRUE(first->told().WaitFor("started"));
  Client second = Launch();
  ASSERT_TRUE(second->WaitDone());
  EXPECT_THAT(second->told().All(),
              ElementsAre("admitted", "queued 0", "refused NO_CAPACITY", "done"));
  first.Cancel();
  ASSERT_TRUE(first->WaitDone());
  ExpectNothingLeft(2);
}

TEST_F(Admission, CancelledQueuedRunLeavesPromptly) {
  environment.settings.max_runs = 1;
  Client first = Launch();
  ASSERT_TRUE(first->told().WaitFor("started"));
  Client second = Launch();
  ASSERT_TRUE(second->told().WaitFor("queued"));
  second.Cancel();
  ASSERT_TRUE(second->WaitDone());
  EXPECT_EQ(second->outcome()->kind, Kind::kCancelled);
  EXPECT_TRUE(second->receipt()->Complete());
  first.Cancel();
  ASSERT_TRUE(first->WaitDone());
  ExpectNothingLeft(2);
}

}  // namespace
}  // namespace tidewaiter::testing
