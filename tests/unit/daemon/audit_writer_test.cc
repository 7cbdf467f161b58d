#include "broker/daemon/audit_writer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/support/audit_store.h"
#include "tests/unit/audit/scratch_folder.h"

namespace tidewaiter::daemon {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kKey[] = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n";

class AuditWriterTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto log = audit::Log::Open(
        {.directory = folder_.path(), .broker_id = "broker", .store = testing::AuditStore()});
    ASSERT_TRUE(log.has_value()) << log.error().message;
    log_ = *std::move(log);
    writer_ = std::make_unique<AuditWriter>(*log_, *audit::HashKey::Parse(kKey));
  }

  static run::AuditEvent Event(run::AuditEvent::Type type) {
    run::AuditEvent event;
    event.type = type;
    event.run_id = RunId("run");
    event.caller = run::Caller{.uid = 990,
                               .gid = 991,
                               .pid = 42,
                               .pid_start = 123456,
                               .executable = "/usr/bin/validator",
                               .principal = "validator"};
    event.requested_image = "busybox:1.0.0";
    event.policy_name = "default";
    event.policy_hash = "sha256:aa";
    return event;
  }
  // The record that the event becomes.
  nlohmann::json Write(const run::AuditEvent& event) {
    const auto written = writer_->Append(event, Deadline::After(seconds(20)));
    if (!written) ADD_FAILURE() << written.error().message;
    return nlohmann::json::parse(audit::ReadLines(path_).back());
  }

  audit::ScratchFolder folder_;
  const std::string path_ = folder_.File(testing::FirstSegment());
  std::unique_ptr<audit::Log> log_;
  std::unique_ptr<AuditWriter> writer_;
};

TEST_F(AuditWriterTest, EveryTypeOfEventHasItsRecord) {
  using Type = run::AuditEvent::Type;
  const std::vector<std::pair<Type, std::string>> names = {
      {Type::kBrokerStarted, "broker.started"},     {Type::kBrokerStopped, "broker.stopped"},
      {Type::kPolicyLoaded, "policy.loaded"},       {Type::kRunDenied, "run.denied"},
      {Type::kConfigLoaded, "config.loaded"},       {Type::kPolicyRefused, "policy.refused"},
      {Type::kRunAdmitted, "run.admitted"},         {Type::kRunStarted, "run.started"},
      {Type::kRunAdopted, "run.adopted"},           {Type::kRunFinished, "run.finished"},
      {Type::kRunCancelled, "run.cancelled"},       {Type::kTeardownOverdue, "teardown.overdue"},
      {Type::kTeardownSettled, "teardown.settled"}, {Type::kRunExpired, "run.expired"},
      {Type::kJournalSetAside, "journal.set_aside"}};
  for (const auto& [type, name] : names) EXPECT_EQ(Write(Event(type))["type"], name);
}

TEST_F(AuditWriterTest, SecretsNeverReachTheFile) {
  const std::string secret = "s3cr3t-0f-the-run";
  run::AuditEvent event = Event(run::AuditEvent::Type::kRunAdmitted);
  policy::EffectiveRun& run = event.effective.emplace();
  run.env = {{"TOKEN", secret}, {"OTHER", "x" + secret + "y"}};
  run.command = {"/bin/tool", "--password=" + secret, secret};
  run.labels = {{"team", secret}};
  run.idempotency_key = secret;
  event.outcome.emplace().message = "exec: \"" + secret + "\": not found in $PATH";
  static_cast<void>(Write(event));
  writer_->AppendEventually(event);
  ASSERT_TRUE(log_->Drain(Deadline::After(seconds(20))).has_value());
  const std::string text = audit::ReadText(path_);
  EXPECT_THAT(text, Not(HasSubstr(secret)));
  EXPECT_THAT(text, Not(HasSubstr("/bin/tool")));
}

TEST_F(AuditWriterTest, NamesOfTheEnvironmentAndOfLabelsAreKept) {
  run::AuditEvent event = Event(run::AuditEvent::Type::kRunAdmitted);
  event.effective.emplace().env = {{"TOKEN", "x"}, {"PATH", "y"}};
  event.effective->labels = {{"team", "z"}};
  const auto effective = Write(event)["effective"];
  ASSERT_EQ(effective["env"].size(), 2U);
  EXPECT_EQ(effective["env"][0]["name"], "PATH");
  EXPECT_EQ(effective["env"][1]["name"], "TOKEN");
  EXPECT_THAT(effective["label_names"], ElementsAre("team"));
}

TEST_F(AuditWriterTest, ValuesAndArgumentsAreThereAsHashesUnderTheKey) {
  const auto key = audit::HashKey::Parse(kKey);
  run::AuditEvent event = Event(run::AuditEvent::Type::kRunAdmitted);
  event.effective.emplace().env = {{"EMPTY", ""}, {"TOKEN", "s3cr3t"}};
  event.effective->command = {"tool", "s3cr3t", ""};
  const auto effective = Write(event)["effective"];
  EXPECT_EQ(effective["env"][0]["value_hash"], key->Hash(""));
  EXPECT_EQ(effective["env"][1]["value_hash"], key->Hash("s3cr3t"));
  EXPECT_THAT(effective["command"],
              ElementsAre(key->Hash("tool"), key->Hash("s3cr3t"), key->Hash("")));
}

TEST_F(AuditWriterTest, ADecisionNamesItsRequestByAHashUnderTheKey) {
  run::AuditEvent event = Event(run::AuditEvent::Type::kRunDenied);
  event.request_sha256 = std::string(32, '\x07');
  EXPECT_EQ(Write(event)["request_digest"],
            audit::HashKey::Parse(kKey)->Hash(std::string(32, '\x07')));
  event.request_sha256.clear();
  EXPECT_FALSE(Write(event).contains("request_digest"));
}

TEST_F(AuditWriterTest, AStartNamesItsConfiguration) {
  run::AuditEvent event;
  event.type = run::AuditEvent::Type::kConfigLoaded;
  event.config_hash = "sha256:cc";
  EXPECT_EQ(Write(event)["config_hash"], "sha256:cc");
}

TEST_F(AuditWriterTest, AnAdmissionTellsWhoAndUnderWhichPolicyAndLimits) {
  run::AuditEvent event = Event(run::AuditEvent::Type::kRunAdmitted);
  policy::EffectiveRun& run = event.effective.emplace();
  run.image.registry = "docker.io";
  run.image.repository = "library/busybox";
  run.image.tag = "1.0.0";
  run.limits.memory_bytes = 1024;
  run.limits.timeout = seconds(3);
  run.tenant.job = "job";
  run.user = {.uid = 1, .gid = 2};
  run.mounts.push_back(
      {.target = "/data", .read_only = true, .source = policy::BindMount{"/srv/data"}});
  run.mounts.push_back({.target = "/tmp", .source = policy::TmpfsMount{64}});
  const auto json = Write(event);
  EXPECT_EQ(json["principal"], "validator");
  EXPECT_EQ(json["uid"], 990);
  EXPECT_EQ(json["pid"], 42);
  EXPECT_EQ(json["pid_start"], 123456);
  EXPECT_EQ(json["executable"], "/usr/bin/validator");
  EXPECT_EQ(json["policy"], "default");
  EXPECT_EQ(json["policy_hash"], "sha256:aa");
  EXPECT_EQ(json["image"], "docker.io/library/busybox:1.0.0");
  EXPECT_EQ(json["requested_image"], "busybox:1.0.0");
  EXPECT_EQ(json["limits"]["memory_bytes"], 1024);
  EXPECT_EQ(json["limits"]["timeout_ms"], 3000);
  EXPECT_EQ(json["tenant"]["job"], "job");
  EXPECT_EQ(json["effective"]["user"], "1:2");
  EXPECT_EQ(json["effective"]["network"], "none");
  EXPECT_EQ(json["effective"]["mounts"][0]["source"], "/srv/data");
  EXPECT_EQ(json["effective"]["mounts"][1]["size_bytes"], 64);
}

TEST_F(AuditWriterTest, WhatIsNotKnownOfTheCallersProcessIsAbsent) {
  run::AuditEvent event = Event(run::AuditEvent::Type::kRunCancelled);
  event.caller->pid_start.reset();
  event.caller->executable.clear();
  const auto json = Write(event);
  EXPECT_EQ(json["pid"], 42);
  EXPECT_FALSE(json.contains("pid_start"));
  EXPECT_FALSE(json.contains("executable"));
}

TEST_F(AuditWriterTest, ADenialListsEveryViolation) {
  run::AuditEvent event = Event(run::AuditEvent::Type::kRunDenied);
  event.violations = {{"image.tag-required", "image", "no tag", "give one"},
                      {"user.root", "user", "root", "another"}};
  const auto violations = Write(event)["violations"];
  ASSERT_EQ(violations.size(), 2U);
  EXPECT_EQ(violations[0]["rule"], "image.tag-required");
  EXPECT_EQ(violations[1]["remedy"], "another");
}

TEST_F(AuditWriterTest, TheEndTellsOutcomeAndReceipt) {
  run::AuditEvent event = Event(run::AuditEvent::Type::kRunFinished);
  event.outcome = run::Outcome{.kind = run::Outcome::Kind::kExited,
                               .exit_code = 3,
                               .message = {},
                               .reason = {},
                               .duration = milliseconds(12)};
  event.receipt.emplace().removals = {{"container", "c", true, ""},
                                      {"network", "n", false, "busy"}};
  event.dropped_output_bytes = 5;
  const auto json = Write(event);
  EXPECT_EQ(json["outcome"]["kind"], "EXITED");
  EXPECT_EQ(json["outcome"]["exit_code"], 3);
  EXPECT_EQ(json["outcome"]["duration_ms"], 12);
  EXPECT_EQ(json["receipt"]["complete"], false);
  EXPECT_EQ(json["receipt"]["removals"][1]["error"], "busy");
  EXPECT_EQ(json["dropped_output_bytes"], 5);
}

TEST_F(AuditWriterTest, AStartTellsImageAndContainer) {
  run::AuditEvent event = Event(run::AuditEvent::Type::kRunStarted);
  event.resolved = run::ResolvedImage{.digest = "sha256:dd", .image_id = "sha256:ii"};
  event.container_id = "cc";
  const auto json = Write(event);
  EXPECT_EQ(json["resolved_digest"], "sha256:dd");
  EXPECT_EQ(json["image_id"], "sha256:ii");
  EXPECT_EQ(json["container_id"], "cc");
}

TEST_F(AuditWriterTest, RecallAnswersForEveryRunAsked) {
  static_cast<void>(Write(Event(run::AuditEvent::Type::kRunAdmitted)));
  const auto standings = writer_->Recall(
      {{RunId("run"), writer_->Mark()}, {RunId("other"), writer_->Mark()}, {RunId("old"), "mark"}});
  ASSERT_TRUE(standings.has_value());
  EXPECT_TRUE(standings->at(RunId("run")).admitted);
  EXPECT_FALSE(standings->at(RunId("run")).finished);
  EXPECT_FALSE(standings->at(RunId("other")).admitted);
  EXPECT_FALSE(standings->at(RunId("other")).unsure);
  EXPECT_TRUE(standings->at(RunId("old")).unsure);
  EXPECT_FALSE(standings->at(RunId("run")).expired);
  static_cast<void>(Write(Event(run::AuditEvent::Type::kRunExpired)));
  EXPECT_TRUE(writer_->Recall({{RunId("run"), writer_->Mark()}})->at(RunId("run")).expired);
}

}  // namespace
}  // namespace tidewaiter::daemon
