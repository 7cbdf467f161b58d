#include "audit/record.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

namespace tidewaiter::audit {
namespace {

Record FullRecord() {
  Record record;
  record.type = RecordType::kRunFinished;
  record.run_id = "run";
  record.caller = Record::Caller{.principal = "validator",
                                 .uid = 990,
                                 .gid = 991,
                                 .pid = 42,
                                 .pid_start = 1234,
                                 .executable = "/usr/bin/x"};
  record.requested_image = "busybox";
  record.image = "docker.io/library/busybox";
  record.resolved_digest = "sha256:aa";
  record.image_id = "sha256:bb";
  record.container_id = "cc";
  record.policy = "default";
  record.policy_hash = "sha256:dd";
  record.violations.push_back(
      {.rule = "image.tag", .field = "image", .message = "no tag", .remedy = "give one"});
  record.limits.emplace().memory_bytes = 1024;
  record.request_digest = "hmac-sha256:ee";
  record.effective.emplace().env = {{"PATH", "hmac-sha256:ff"}, {"TOKEN", ""}};
  record.effective->command = {"hmac-sha256:01"};
  record.effective->mounts.push_back({.target = "/data",
                                      .type = "bind",
                                      .source = "/srv",
                                      .read_only = true,
                                      .size_bytes = std::nullopt});
  record.tenant = Record::Tenant{.challenge = "c", .job = "j", .task = "t"};
  record.outcome.emplace().kind = "EXITED";
  record.receipt.emplace().removals.push_back(
      {.kind = "container", .id = "cc", .confirmed_absent = true, .error = {}});
  record.dropped_output_bytes = 9;
  record.detail = "d";
  record.log.emplace().cause = "cause";
  return record;
}

std::string LineOf(const Record& record, std::uint64_t index) {
  EncodedRecord encoded(record, "boot", "broker");
  std::string line;
  encoded.AppendTo(line, index);
  return line;
}

TEST(Record, IsCanonicalInEveryPart) {
  std::string line = LineOf(FullRecord(), 123);
  ASSERT_EQ(line.back(), '\n');
  line.pop_back();
  // nlohmann writes sorted members without whitespace too.
  EXPECT_EQ(nlohmann::json::parse(line).dump(), line);
}

TEST(Record, CarriesItsStamp) {
  EncodedRecord encoded(FullRecord(), "boot", "broker");
  encoded.SetTime(Timestamp(std::chrono::seconds(1)));
  std::string line;
  encoded.AppendTo(line, 10'000);
  const auto json = nlohmann::json::parse(line);
  EXPECT_EQ(json["index"], 10'000);
  EXPECT_EQ(json["time"], "1970-01-01T00:00:01.000000000Z");
  EXPECT_EQ(json["boot_id"], "boot");
  EXPECT_EQ(json["broker_id"], "broker");
  EXPECT_EQ(json["schema"], 2);
  EXPECT_EQ(json["type"], "run.finished");
}

TEST(Record, NamesTheCaller) {
  const auto json = nlohmann::json::parse(LineOf(FullRecord(), 0));
  EXPECT_EQ(json["principal"], "validator");
  EXPECT_EQ(json["uid"], 990);
  EXPECT_EQ(json["gid"], 991);
  EXPECT_EQ(json["pid"], 42);
}

TEST(Record, AbsentPartsAreLeftOut) {
  const auto json = nlohmann::json::parse(LineOf(Record(), 0));
  EXPECT_EQ(json.size(), 6U) << json;
}

TEST(Record, ATextThatLooksLikeAMemberDoesNotMoveTheStamp) {
  Record record;
  record.run_id = R"(","index":999,"time":"x)";
  const auto json = nlohmann::json::parse(LineOf(record, 5));
  EXPECT_EQ(json["index"], 5);
  EXPECT_EQ(json["run_id"], record.run_id);
}

TEST(Record, ALineIsNeverLongerThanItsLimit) {
  Record record = FullRecord();
  const std::string huge(10'000, '\x01');
  record.run_id = record.image = record.requested_image = record.detail = huge;
  record.violations.assign(500, {.rule = huge, .field = huge, .message = huge, .remedy = huge});
  record.effective->env.assign(500, {.name = huge, .value_hash = huge});
  record.effective->command.assign(500, huge);
  record.effective->label_names.assign(500, huge);
  record.receipt->removals.assign(
      500, {.kind = huge, .id = huge, .confirmed_absent = false, .error = huge});
  const std::string line = LineOf(record, ~std::uint64_t{0});
  EXPECT_LT(line.size(), kMaxLineBytes);
  EXPECT_GT(nlohmann::json::parse(line)["omitted"], 2'000);
}

TEST(Record, DenialCostsTheDiskLittle) {
  Record record = FullRecord();
  record.type = RecordType::kRunDenied;
  const std::string text(1000, 'x');
  record.violations.assign(500, {.rule = text, .field = text, .message = text, .remedy = text});
  const std::string line = LineOf(record, 0);
  EXPECT_LT(line.size(), std::size_t{32} << 10U);
  EXPECT_GT(nlohmann::json::parse(line)["omitted"], 490);
}

TEST(Record, UnknownBootIsLeftOut) {
  std::string line;
  EncodedRecord(FullRecord(), "", "broker").AppendTo(line, 0);
  EXPECT_FALSE(nlohmann::json::parse(line).contains("boot_id"));
}

TEST(Record, EveryTypeHasItsName) {
  EXPECT_EQ(ToString(RecordType::kRunAdmitted), "run.admitted");
  EXPECT_EQ(ToString(RecordType::kTeardownOverdue), "teardown.overdue");
  EXPECT_EQ(ToString(RecordType::kAuditTruncated), "audit.truncated");
}

}  // namespace
}  // namespace tidewaiter::audit
