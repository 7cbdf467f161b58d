#include "broker/forward/syslog_message.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "audit/sha256.h"
#include "tests/unit/forward/example_record.h"

namespace tidewaiter::forward {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

const SyslogOrigin kOrigin{.host_name = "host.example", .process_id = "42"};

TEST(SyslogMessage, IsRfc5424WithTheExactLine) {
  const std::string line = ExampleLine();
  EXPECT_EQ(SyslogMessage(kOrigin, ExampleRecord(line)),
            "<109>1 2026-10-02T12:34:56.000120Z host.example tidewaiter 42 run.denied "
            "[origin software=\"tidewaiter\"] " +
                line);
}

TEST(SyslogMessage, FacilityIsLogAuditWhateverTheSeverity) {
  const auto start = [](const std::string& type) {
    const std::string line = ExampleLine(type);
    return SyslogMessage(kOrigin, ExampleRecord(line)).substr(0, 6);
  };
  EXPECT_EQ(start("audit.gap"), "<108>1");
  EXPECT_EQ(start("run.denied"), "<109>1");
  EXPECT_EQ(start("run.started"), "<110>1");
}

TEST(SyslogMessage, WhatIsNoFieldOfAHeaderIsADash) {
  const std::string line = ExampleLine("two words");
  EXPECT_THAT(SyslogMessage({.host_name = "", .process_id = "4 2"}, ExampleRecord(line)),
              StartsWith("<110>1 2026-10-02T12:34:56.000120Z - tidewaiter - - ["));
}

TEST(SyslogMessage, AShortenedOneSaysThatItIsAndWhatIsMissing) {
  const std::string line = ExampleLine("run.denied", 5000);
  const std::string message = ShortenedSyslogMessage(kOrigin, ExampleRecord(line));
  EXPECT_THAT(message, StartsWith("<109>1 2026-10-02T12:34:56.000120Z host.example tidewaiter 42 "
                                  "run.denied [origin software=\"tidewaiter\"] {"));
  const auto text = nlohmann::json::parse(message.substr(message.find('{')));
  const nlohmann::json expected{{"forward_cut", true},
                                {"index", 7},
                                {"line_bytes", line.size()},
                                {"line_digest", audit::ToString(audit::Sha256::Of(line))},
                                {"principal", "ci \"one\""},
                                {"run_id", "orsx"},
                                {"time", "2026-10-02T12:34:56.000120789Z"},
                                {"type", "run.denied"}};
  EXPECT_EQ(text, expected);
}

TEST(SyslogMessage, OfThisProcessNamesIt) {
  EXPECT_EQ(ThisOrigin().process_id, std::to_string(::getpid()));
}

}  // namespace
}  // namespace tidewaiter::forward
