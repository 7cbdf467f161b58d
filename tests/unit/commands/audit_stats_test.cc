#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "audit/top_counts.h"
#include "client/commands/program.h"
#include "tests/support/log_folder.h"

namespace tidewaiter::cli {
namespace {

using audit::Record;
using audit::RecordType;
using ::testing::HasSubstr;
using ::testing::Not;

class AuditStats : public ::testing::Test {
 protected:
  void Deny(const std::string& principal, std::chrono::hours when = {}) {
    Record record;
    record.type = RecordType::kRunDenied;
    record.caller.emplace().principal = principal;
    record.violations = {{.rule = "image.tag-required", .field = {}, .message = {}, .remedy = {}}};
    log_.Add(record, audit::Timestamp(when));
  }
  std::string Ask(std::vector<std::string> words) {
    words.insert(words.begin(), {"audit", "stats", "--dir", log_.path()});
    ::testing::internal::CaptureStdout();
    EXPECT_EQ(RunProgram(std::move(words)), 0);
    return ::testing::internal::GetCapturedStdout();
  }

  testing::LogFolder log_;
};

TEST_F(AuditStats, AreAText) {
  Deny("alice");
  Deny("alice");
  const std::string text = Ask({});
  EXPECT_THAT(text, HasSubstr("runs                    0 admitted, 2 denied\n"));
  EXPECT_THAT(text, HasSubstr("denials by rule\n           2  image.tag-required\n"));
  EXPECT_THAT(text, HasSubstr("decisions by principal\n           2  alice\n"));
}

TEST_F(AuditStats, AreJson) {
  Deny("alice");
  const auto json = nlohmann::json::parse(Ask({"--json"}));
  EXPECT_EQ(json["denied"], 1);
  EXPECT_EQ(json["first"], "1970-01-01T00:00:00.000000000Z");
  EXPECT_EQ(json["rules"]["top"][0]["name"], "image.tag-required");
  EXPECT_EQ(json["rules"]["rest"], 0);
}

TEST_F(AuditStats, AreOfThePeriodThatIsAskedFor) {
  Deny("alice");
  Deny("bob", std::chrono::hours(48));
  EXPECT_THAT(Ask({"--since", "1970-01-02"}), Not(HasSubstr("alice")));
  EXPECT_THAT(Ask({"--until", "1970-01-02"}), Not(HasSubstr("bob")));
}

TEST_F(AuditStats, SayWhatTheyDoNotShow) {
  for (int i = 0; i < 5; ++i) Deny("p" + std::to_string(i));
  EXPECT_THAT(Ask({"--top", "2"}), HasSubstr("and 3 more\n"));
}

TEST_F(AuditStats, SayWhatTheyDidNotCountByName) {
  for (std::size_t i = 0; i < audit::TopCounts::kMaxKeys + 7; ++i) Deny("p" + std::to_string(i));
  EXPECT_THAT(Ask({}), HasSubstr("7  of others: only the first 10000 were counted by name\n"));
}

TEST_F(AuditStats, NamesCannotSteerTheTerminal) {
  Deny("a\x1b[2J");
  EXPECT_THAT(Ask({}), HasSubstr("a\\x1b[2J"));
}

TEST_F(AuditStats, OfNothingAreZeroes) {
  EXPECT_THAT(Ask({}), HasSubstr("records                 0 (0 B)\n"));
}

}  // namespace
}  // namespace tidewaiter::cli
