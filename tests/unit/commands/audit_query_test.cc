// `tidewaiter audit query` and `audit tail` over a folder: no broker is there.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "client/commands/audit_flags.h"
#include "client/commands/program.h"
#include "client/commands/record_source.h"
#include "tests/support/log_folder.h"

namespace tidewaiter::cli {
namespace {

using audit::Record;
using audit::RecordType;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

class AuditQuery : public ::testing::Test {
 protected:
  std::string Deny(const std::string& rule, const std::string& image = "a/b:1",
                   std::chrono::seconds when = {}) {
    Record record;
    record.type = RecordType::kRunDenied;
    record.requested_image = image;
    record.violations = {{.rule = rule, .field = {}, .message = {}, .remedy = {}}};
    return log_.Add(record, audit::Timestamp(when)) + '\n';
  }

  std::string Ask(std::vector<std::string> words, int status = 0) {
    words.insert(words.begin(), "audit");
    words.insert(words.end(), {"--dir", log_.path()});
    ::testing::internal::CaptureStdout();
    ::testing::internal::CaptureStderr();
    const int ended = RunProgram(std::move(words));
    std::string out = ::testing::internal::GetCapturedStdout();
    errors_ = ::testing::internal::GetCapturedStderr();
    EXPECT_EQ(ended, status) << errors_;
    return out;
  }

  testing::LogFolder log_;
  std::string errors_;
};

TEST_F(AuditQuery, GivesTheExactLinesOfAFolderWhereNoTerminalReads) {
  const std::string first = Deny("r1");
  const std::string second = Deny("r2");
  EXPECT_EQ(Ask({"query"}), first + second);
  EXPECT_EQ(Ask({"query", "--json"}), first + second);
  EXPECT_EQ(Ask({"query", "--rule", "r2"}), second);
  EXPECT_EQ(Ask({"query", "--limit", "1"}), first);
}

TEST_F(AuditQuery, EveryConditionIsAnOption) {
  Record record;
  record.type = RecordType::kRunAdmitted;
  record.run_id = "run";
  record.caller.emplace().principal = "alice";
  record.tenant.emplace().job = "42";
  record.image = "a/b:1";
  record.outcome.emplace().kind = "LOST";
  record.violations = {{.rule = "rule", .field = {}, .message = {}, .remedy = {}}};
  record.shadow.emplace().violations = {
      {.rule = "tried", .field = {}, .message = {}, .remedy = {}}};
  log_.Add(Record());
  const std::string line = log_.Add(record, audit::Timestamp(std::chrono::hours(24))) + '\n';
  for (const auto& [flag, value] :
       std::vector<std::pair<std::string, std::string>>{{"--run", "run"},
                                                        {"--principal", "alice"},
                                                        {"--type", "run.admitted"},
                                                        {"--tenant", "42"},
                                                        {"--image", "a/b"},
                                                        {"--outcome", "lost"},
                                                        {"--rule", "rule"},
                                                        {"--shadow-rule", "tried"},
                                                        {"--since", "1970-01-02"}}) {
    EXPECT_EQ(Ask({"query", flag, value}), line) << flag;
    if (flag == "--since") continue;
    EXPECT_THAT(Ask({"query", flag, "other"}), IsEmpty()) << flag;
  }
  EXPECT_THAT(Ask({"query", "--until", "1970-01-02T00:00:00Z", "--run", "run"}), IsEmpty());
}

TEST_F(AuditQuery, ATableHasARowForEach) {
  Deny("r1");
  Deny("r2");
  const std::string table = Ask({"query", "--format", "table"});
  EXPECT_THAT(table, StartsWith("TIME "));
  EXPECT_EQ(std::count(table.begin(), table.end(), '\n'), 3);
}

TEST_F(AuditQuery, OcsfIsAnEventForEach) {
  const std::string line = Deny("r1");
  const auto event = nlohmann::json::parse(Ask({"query", "--format", "ocsf"}));
  EXPECT_EQ(event["class_uid"], 6003);
  EXPECT_EQ(event["raw_data"].get<std::string>() + '\n', line);
}

TEST_F(AuditQuery, TailGivesTheLastThatMatchOverSegments) {
  std::string last;
  std::string newest;
  for (int i = 0; i < 20; ++i) {
    if (i % 3 == 0) log_.BeginSegment();
    Deny("other");
    newest = Deny("rule");
    if (i >= 10) last += newest;
  }
  Deny("other");
  EXPECT_EQ(Ask({"tail", "--rule", "rule"}), last);
  EXPECT_EQ(Ask({"tail", "--rule", "rule", "-n", "1"}), newest);
  EXPECT_THAT(Ask({"tail", "-n", "0"}), IsEmpty());
  EXPECT_THAT(Ask({"tail", "--rule", "none"}), IsEmpty());
}

TEST_F(AuditQuery, LinesThatAreNoRecordsAreCounted) {
  Deny("r");
  log_.AddBytes("garbage\n");
  EXPECT_EQ(Ask({"query"}), Ask({"query", "--type", "run.denied"}));
  EXPECT_THAT(errors_, HasSubstr("1 line(s) are no records"));
}

TEST_F(AuditQuery, WhatCannotBeAskedIsAUsageError) {
  Ask({"query", "--format", "xml"}, 2);
  Ask({"query", "--format", "table", "--json"}, 2);
  Ask({"query", "--socket", "/x"}, 2);
  Ask({"query", "--since", "2026"}, 2);
  Ask({"query", "--until", "yesterday"}, 2);
  Ask({"tail", "-n", "1000001"}, 2);
  Ask({"query", "--follow", "--limit", "1"}, 2);
}

TEST_F(AuditQuery, AFolderThatIsNotThereIsOne) {
  ::testing::internal::CaptureStderr();
  EXPECT_EQ(RunProgram({"audit", "query", "--dir", log_.path() + "/none"}), 1);
  EXPECT_THAT(::testing::internal::GetCapturedStderr(), HasSubstr("open the log's folder"));
}

TEST_F(AuditQuery, AFolderIsFollowedIntoItsNextSegment) {
  std::vector<std::string> lines = {Deny("r")};
  std::vector<std::string> seen;
  const auto read = ReadRecords(
      Invocation(), {.directory = log_.path(), .limit = 1, .newest = true, .follow = true},
      [&](std::string_view line) {
        seen.push_back(std::string(line) + '\n');
        // The reader has come to the end: one more in its segment, then one in the next.
        if (seen.size() == 1) {
          lines.push_back(Deny("r"));
          log_.BeginSegment();
          lines.push_back(Deny("r"));
        }
        if (seen.size() == 3) lines.push_back(Deny("r"));
        return seen.size() < 4;
      });
  EXPECT_TRUE(read.has_value());
  EXPECT_EQ(seen, lines);
}

TEST(AuditTime, IsADateATimeOrHowLongAgo) {
  using std::chrono::hours;
  using std::chrono::minutes;
  EXPECT_EQ(ParseTime("1970-01-02", "--since").value(), audit::Timestamp(hours(24)));
  EXPECT_EQ(ParseTime("1970-01-01T01:00:00+01:00", "--since").value(), audit::Timestamp());
  const audit::Timestamp before = audit::Now();
  const audit::Timestamp ago = ParseTime("90m", "--since").value();
  EXPECT_GE(ago, before - minutes(90));
  EXPECT_LE(ago, audit::Now() - minutes(90));
  for (const char* text : {"2026", "", "-5m", "soon", "9999-01-01", "999999999h"}) {
    EXPECT_FALSE(ParseTime(text, "--since").has_value()) << text;
  }
}

}  // namespace
}  // namespace tidewaiter::cli
