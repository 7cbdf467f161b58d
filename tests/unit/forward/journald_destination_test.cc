#include "broker/forward/journald_destination.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>

#include "broker/forward/journal_message.h"
#include "tests/support/datagram_listener.h"
#include "tests/support/journal_fields.h"
#include "tests/support/project_file.h"
#include "tests/support/scratch_folder.h"
#include "tests/unit/forward/example_record.h"

namespace tidewaiter::forward {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::HasSubstr;

Deadline Soon() {
  return Deadline::After(seconds(20));
}

TEST(JournalMessage, IsWhatTheDocumentedProtocolSays) {
  const std::string line = ExampleLine();
  const auto fields = testing::JournalFields(JournalMessage(ExampleRecord(line)));
  ASSERT_TRUE(fields.has_value());
  const std::map<std::string, std::string> expected{
      {"MESSAGE", R"(run.denied, run orsx, principal ci \"one\")"},
      {"MESSAGE_ID", std::string(kJournalMessageId)},
      {"PRIORITY", "5"},
      {"SYSLOG_IDENTIFIER", "tidewaiter-audit"},
      {"TIDEWAITER_INDEX", "7"},
      {"TIDEWAITER_TYPE", "run.denied"},
      {"TIDEWAITER_RUN_ID", "orsx"},
      {"TIDEWAITER_RECORD", line}};
  EXPECT_EQ(*fields, expected);
}

TEST(JournalMessage, ItsIdIsTheDocumentedOne) {
  std::ifstream page(testing::ProjectFile("docs/FORWARDING.md"));
  const std::string text{std::istreambuf_iterator<char>(page), {}};
  EXPECT_THAT(text, HasSubstr("`" + std::string(kJournalMessageId) + "`"));
}

TEST(JournalMessage, WhatMattersMoreHasAHigherPriority) {
  const auto priority = [](const std::string& type) {
    const std::string line = ExampleLine(type);
    return testing::JournalFields(JournalMessage(ExampleRecord(line))).value().at("PRIORITY");
  };
  EXPECT_EQ(priority("run.admitted"), "6");
  EXPECT_EQ(priority("run.denied"), "5");
  for (const char* type : {"teardown.overdue", "audit.gap", "audit.truncated"}) {
    EXPECT_EQ(priority(type), "4") << type;
  }
}

TEST(JournalMessage, AValueWithALineFeedCannotBecomeAnotherField) {
  std::string message;
  AppendJournalField(message, "MESSAGE", "a\nPRIORITY=0");
  const std::map<std::string, std::string> expected{{"MESSAGE", "a\nPRIORITY=0"}};
  EXPECT_EQ(testing::JournalFields(message), expected);
}

class JournaldDestinationTest : public ::testing::Test {
 protected:
  const testing::ScratchFolder folder_;
  const std::string path_ = folder_ / "journal";
};

TEST_F(JournaldDestinationTest, ARecordIsOneDatagram) {
  testing::DatagramListener journald(path_);
  JournaldDestination destination(path_);
  ASSERT_TRUE(destination.Connect({}, Soon()).has_value());
  const std::string line = ExampleLine();
  ASSERT_TRUE(destination.Send(ExampleRecord(line), Soon()).has_value());
  const auto message = journald.Receive();
  ASSERT_TRUE(message.has_value());
  EXPECT_FALSE(message->file.has_value());
  EXPECT_EQ(testing::JournalFields(message->payload).value().at("TIDEWAITER_RECORD"), line);
}

TEST_F(JournaldDestinationTest, ARecordThatNoDatagramHoldsIsASealedFileAlone) {
  testing::DatagramListener journald(path_);
  JournaldDestination destination(path_, 64 << 10);
  ASSERT_TRUE(destination.Connect({}, Soon()).has_value());
  const std::string line = ExampleLine("run.finished", 1'000'000);
  ASSERT_TRUE(destination.Send(ExampleRecord(line), Soon()).has_value());
  const auto message = journald.Receive();
  ASSERT_TRUE(message.has_value());
  EXPECT_EQ(message->payload, "");
  ASSERT_TRUE(message->file.has_value());
  EXPECT_EQ(testing::JournalFields(*message->file).value().at("TIDEWAITER_RECORD"), line);
  EXPECT_EQ(message->seals, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE);
}

TEST_F(JournaldDestinationTest, WithoutJournaldIsAFailureAndNoSilence) {
  JournaldDestination destination(path_);
  const auto connected = destination.Connect({}, Soon());
  ASSERT_FALSE(connected.has_value());
  EXPECT_THAT(connected.error().message, HasSubstr("'" + path_ + "': No such file"));
}

TEST_F(JournaldDestinationTest, AJournaldThatHasGoneIsAFailure) {
  JournaldDestination destination(path_);
  {
    testing::DatagramListener journald(path_);
    ASSERT_TRUE(destination.Connect({}, Soon()).has_value());
  }
  const std::string line = ExampleLine();
  const auto sent = destination.Send(ExampleRecord(line), Soon());
  ASSERT_FALSE(sent.has_value());
  EXPECT_EQ(sent.error().code, ErrorCode::kUnavailable);
}

TEST_F(JournaldDestinationTest, OneThatTakesNothingEndsAtTheDeadlineOrTheStop) {
  testing::DatagramListener journald(path_);
  JournaldDestination destination(path_);
  std::stop_source stop;
  ASSERT_TRUE(destination.Connect(stop.get_token(), Soon()).has_value());
  const std::string line = ExampleLine();
  Result<void> sent = Ok();
  while (sent) sent = destination.Send(ExampleRecord(line), Deadline::After(milliseconds(20)));
  EXPECT_EQ(sent.error().code, ErrorCode::kDeadlineExceeded);
  stop.request_stop();
  sent = destination.Send(ExampleRecord(line), Deadline::Never());
  EXPECT_EQ(sent.error().code, ErrorCode::kCancelled);
}

}  // namespace
}  // namespace tidewaiter::forward
