#include "broker/forward/forwarder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "audit/record_header.h"
#include "audit/segment_name.h"
#include "broker/forward/unix_syslog.h"
#include "tests/support/audit_store.h"
#include "tests/support/datagram_listener.h"
#include "tests/support/eventually.h"
#include "tests/support/scratch_folder.h"
#include "tests/unit/forward/fickle_server.h"
#include "tests/unit/forward/recording_log.h"
#include "tests/unit/forward/scripted_destination.h"

namespace tidewaiter::forward {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::ElementsAre;
using testing::Eventually;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class ForwarderTest : public ::testing::Test {
 protected:
  ForwarderTest() { OpenLog(); }

  void OpenLog() {
    audit_.reset();
    audit::StoreSettings store = testing::AuditStore();
    // A segment for each record.
    store.segment_bytes = 1;
    store.checkpoint_records = 1;
    auto opened = audit::Log::Open(
        {.directory = folder_ / "audit", .broker_id = "b", .store = std::move(store)});
    ASSERT_TRUE(opened.has_value());
    audit_ = *std::move(opened);
  }
  Result<std::uint64_t> Append() {
    audit::Record record;
    record.type = audit::RecordType::kRunDenied;
    return audit_->Append(record, Deadline::After(seconds(20)));
  }
  void Append(int count) {
    for (int i = 0; i < count; ++i) ASSERT_TRUE(Append().has_value());
  }
  std::unique_ptr<Forwarder> Start(std::unique_ptr<Destination> destination) {
    auto forwarder = Forwarder::Start({.name = "syslog",
                                       .state_dir = folder_.path(),
                                       .first_retry = milliseconds(1),
                                       .last_retry = milliseconds(5),
                                       .step_timeout = step_timeout_,
                                       .save_interval = milliseconds(1)},
                                      std::move(destination), *audit_, log_);
    EXPECT_TRUE(forwarder.has_value()) << forwarder.error().message;
    return forwarder ? *std::move(forwarder) : nullptr;
  }
  std::unique_ptr<Forwarder> Start() {
    return Start(std::make_unique<ScriptedDestination>(script_));
  }
  static void Finish(Forwarder& forwarder) { forwarder.Finish(Deadline::After(seconds(20))); }
  void PutPosition(const std::string& text) {
    ::mkdir((folder_ / "forward").c_str(), 0700);
    std::ofstream(folder_ / "forward/syslog.position") << text;
    ::chmod((folder_ / "forward/syslog.position").c_str(), 0600);
  }

  std::string Position() {
    std::ifstream file(folder_ / "forward/syslog.position");
    std::string line;
    std::getline(file, line);
    return line;
  }

  const testing::ScratchFolder folder_;
  milliseconds step_timeout_{seconds(20)};
  RecordingLog log_;
  const std::shared_ptr<DestinationScript> script_ = std::make_shared<DestinationScript>();
  std::unique_ptr<audit::Log> audit_;
};

TEST_F(ForwarderTest, AtItsFirstStartItBeginsWithWhatIsCommittedFromThenOn) {
  Append(3);
  const auto forwarder = Start();
  Append(2);
  Finish(*forwarder);
  EXPECT_THAT(script_->arrived(), ElementsAre(3, 4));
  EXPECT_THAT(log_.lines(), IsEmpty());
}

TEST_F(ForwarderTest, ARestartGoesOnWhereTheFormerOneEnded) {
  Finish(*Start());
  Append(2);
  {
    const auto forwarder = Start();
    Append(2);
    Finish(*forwarder);
  }
  EXPECT_THAT(script_->arrived(), ElementsAre(0, 1, 2, 3));
  Append(1);
  OpenLog();
  Append(1);
  Finish(*Start());
  EXPECT_THAT(script_->arrived(), ElementsAre(0, 1, 2, 3, 4, 5));
}

TEST_F(ForwarderTest, FromNowOnHoldsAlsoWhereTheFirstProcessDiedBeforeItForwardedAnything) {
  Append(3);
  script_->Fail("down");
  {
    const auto forwarder = Start();
    EXPECT_EQ(Position(), "next-index 3");  // at once: whatever ends this process now
    Append(2);
    EXPECT_TRUE(Eventually([&] { return forwarder->Now().failure.has_value(); }));
  }
  script_->Fail("");
  Finish(*Start());
  EXPECT_THAT(script_->arrived(), ElementsAre(3, 4));
}

TEST_F(ForwarderTest, APositionThatCannotBeBelievedBeginsWithTheFirstRecord) {
  Append(3);
  PutPosition("next-ind");
  Finish(*Start());
  EXPECT_THAT(script_->arrived(), ElementsAre(0, 1, 2));
  EXPECT_THAT(log_.lines(), ElementsAre(HasSubstr("'syslog.position': not a position; begins with "
                                                  "the first record that there is")));
}

TEST_F(ForwarderTest, APositionBeyondTheLogsEndBeginsWithTheFirstRecord) {
  Append(3);
  PutPosition("next-index 4\n");
  Finish(*Start());
  EXPECT_THAT(script_->arrived(), ElementsAre(0, 1, 2));
  EXPECT_THAT(log_.lines(), ElementsAre(HasSubstr("this is another log")));
}

TEST_F(ForwarderTest, AJumpOfTheIndexIsTold) {
  Append(2);
  std::filesystem::remove(folder_ / "audit" + "/" + audit::SegmentFileName(0, audit::kLinesSuffix));
  PutPosition("next-index 0\n");
  const auto forwarder = Start();
  Append(1);
  EXPECT_TRUE(Eventually([&] { return forwarder->Now().behind == 0; }));
  EXPECT_EQ(forwarder->Now().missed, 1U);
  EXPECT_THAT(script_->arrived(), ElementsAre(1, 2));
  EXPECT_THAT(log_.lines(), ElementsAre(HasSubstr("warning: forward to the test: the records 0 to "
                                                  "0 are no longer in the log")));
}

TEST_F(ForwarderTest, ADestinationThatFailsIsToldOfOnceAndAgainWhenItWorks) {
  const auto forwarder = Start();
  Append(1);
  EXPECT_TRUE(Eventually([&] { return forwarder->Now().behind == 0; }));
  script_->Fail("down");
  Append(5);
  EXPECT_TRUE(Eventually([&] { return script_->failures() > 5; }));
  const Forwarder::Standing standing = forwarder->Now();
  EXPECT_EQ(standing.next_index, 1U);
  EXPECT_EQ(standing.behind, 5U);
  EXPECT_EQ(standing.failure.value().message, "down");
  EXPECT_THAT(log_.lines(), ElementsAre("warning: forward to the test: down; the records wait in "
                                        "the log"));
  script_->Fail("");
  EXPECT_TRUE(Eventually([&] { return forwarder->Now().behind == 0; }));
  Finish(*forwarder);
  EXPECT_FALSE(forwarder->Now().failure.has_value());
  EXPECT_THAT(log_.lines(),
              ElementsAre(HasSubstr("down"), "info: forward to the test: works again"));
  EXPECT_THAT(script_->arrived(), ElementsAre(0, 1, 2, 3, 4, 5));
}

TEST_F(ForwarderTest, ADestinationToWhichThereIsNothingToSendWorksOnceItConnects) {
  script_->Fail("down");
  const auto forwarder = Start();
  EXPECT_TRUE(Eventually([&] { return forwarder->Now().failure.has_value(); }));
  script_->Fail("");
  EXPECT_TRUE(Eventually([&] { return !forwarder->Now().failure.has_value(); }));
}

TEST_F(ForwarderTest, ThePositionIsKeptWhileItRuns) {
  const auto forwarder = Start();
  Append(2);
  EXPECT_TRUE(Eventually([&] { return Position() == "next-index 2"; }));
}

// As a server does that asks for a certificate of the client's, or is full.
TEST_F(ForwarderTest, AServerThatTakesConnectionsAndNoRecordIsToldOfOnce) {
  script_->FailConfirm("closed");
  const auto forwarder = Start();
  Append(1);
  EXPECT_TRUE(Eventually([&] { return script_->failures() > 20; }));
  EXPECT_THAT(log_.lines(), ElementsAre(HasSubstr("closed")));
}

TEST_F(ForwarderTest, WhatABrokenConnectionMayHaveLostIsSentAgain) {
  const auto forwarder = Start();
  Append(2);
  EXPECT_TRUE(Eventually([&] { return forwarder->Now().behind == 0; }));
  script_->Break();
  Append(5);
  Finish(*forwarder);
  EXPECT_THAT(script_->arrived(), ElementsAre(0, 1, 2, 3, 4, 5, 6));
  EXPECT_THAT(log_.lines(), IsEmpty());  // one more attempt was enough
}

TEST_F(ForwarderTest, WhatWasNotConfirmedIsSentAgainByTheNextProcess) {
  Finish(*Start());
  {
    script_->FailConfirm("closed");
    const auto forwarder = Start();
    Append(2);
    EXPECT_TRUE(Eventually([&] { return script_->failures() > 0; }));
  }
  script_->FailConfirm("");
  Finish(*Start());
  EXPECT_THAT(script_->arrived(), ElementsAre(0, 1));
}

TEST_F(ForwarderTest, ADestinationThatHangsHoldsUpNoRecordAndNoEnd) {
  testing::DatagramListener hung(folder_ / "log");  // never read from
  const auto forwarder = Start(std::make_unique<UnixSyslog>(folder_ / "log", SyslogOrigin{}));
  // More than any queue of datagrams that the system has by default, and each of them is durable.
  Append(1000);
  EXPECT_GT(forwarder->Now().behind, 0U);
  forwarder->Finish(Deadline::After(milliseconds(1)));
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(hung.Receive().has_value());
}

TEST_F(ForwarderTest, ADestinationThatHangsIsAFailureAfterItsTime) {
  step_timeout_ = milliseconds(20);
  testing::DatagramListener hung(folder_ / "log");
  const auto forwarder = Start(std::make_unique<UnixSyslog>(folder_ / "log", SyslogOrigin{}));
  Append(1000);
  EXPECT_TRUE(Eventually([&] { return forwarder->Now().failure.has_value(); }));
  EXPECT_THAT(forwarder->Now().failure.value().message, HasSubstr("the receiver takes nothing"));
}

TEST_F(ForwarderTest, AServerThatHangsUpAgainAndAgainGetsEveryRecordInOrder) {
  // Each time fewer than wait, so that it must be content with a part of them.
  std::vector<std::uint64_t> first_seen;
  FickleServer server(folder_ / "log", 3);
  const auto forwarder = Start(std::make_unique<UnixSyslog>(folder_ / "log", SyslogOrigin{}));
  Append(20);
  EXPECT_TRUE(Eventually([&] { return forwarder->Now().behind == 0; }));
  for (const std::string& line : server.lines()) {
    const std::uint64_t index = audit::ReadHeader(line.substr(line.find('{'))).value().index;
    if (first_seen.empty() || index > first_seen.back()) first_seen.push_back(index);
  }
  EXPECT_THAT(first_seen,
              ElementsAre(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19));
  EXPECT_GT(server.connections(), 5);
}

TEST_F(ForwarderTest, TheEndDoesNotWaitForOneThatFails) {
  script_->Fail("down");
  const auto forwarder = Start();
  Append(1);
  EXPECT_TRUE(Eventually([&] { return forwarder->Now().failure.has_value(); }));
  forwarder->Finish(Deadline::Never());
  EXPECT_EQ(forwarder->Now().behind, 1U);
}

TEST_F(ForwarderTest, AtTheEndOneThatFailedBeforeIsTriedOnceMore) {
  script_->Fail("down");
  auto forwarder = Forwarder::Start({.name = "syslog",
                                     .state_dir = folder_.path(),
                                     .first_retry = std::chrono::hours(1),
                                     .last_retry = std::chrono::hours(1)},
                                    std::make_unique<ScriptedDestination>(script_), *audit_, log_)
                       .value();
  Append(1);
  EXPECT_TRUE(Eventually([&] { return forwarder->Now().failure.has_value(); }));
  script_->Fail("");
  Finish(*forwarder);
  EXPECT_THAT(script_->arrived(), ElementsAre(0));
}

TEST_F(ForwarderTest, TwoOfThemGoAtTheirOwnPace) {
  testing::DatagramListener hung(folder_ / "log");
  const auto slow =
      Forwarder::Start({.name = "journald", .state_dir = folder_.path()},
                       std::make_unique<UnixSyslog>(folder_ / "log", SyslogOrigin{}), *audit_, log_)
          .value();
  const auto forwarder = Start();
  Append(1000);
  Finish(*forwarder);
  EXPECT_EQ(script_->arrived().size(), 1000U);
  EXPECT_GT(slow->Now().behind, 0U);
}

}  // namespace
}  // namespace tidewaiter::forward
