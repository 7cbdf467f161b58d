#include "broker/forward/unix_syslog.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/completion.h"
#include "tests/support/datagram_listener.h"
#include "tests/support/scratch_folder.h"
#include "tests/support/scripted_server.h"
#include "tests/unit/forward/example_record.h"

namespace tidewaiter::forward {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::HasSubstr;
using testing::ScriptedConnection;
using testing::ScriptedServer;

const SyslogOrigin kOrigin{.host_name = "h", .process_id = "1"};

Deadline Soon() {
  return Deadline::After(seconds(20));
}

TEST(UnixSyslog, ARecordIsOneDatagramWithoutFraming) {
  const testing::ScratchFolder folder;
  testing::DatagramListener server(folder / "log");
  UnixSyslog destination(folder / "log", kOrigin);
  ASSERT_TRUE(destination.Connect({}, Soon()).has_value());
  const std::string line = ExampleLine();
  ASSERT_TRUE(destination.Send(ExampleRecord(line), Soon()).has_value());
  EXPECT_TRUE(destination.Confirm(Soon()).has_value());
  EXPECT_EQ(server.Receive().value().payload, SyslogMessage(kOrigin, ExampleRecord(line)));
}

TEST(UnixSyslog, ARecordThatNoDatagramHoldsComesShortenedAndTheNextOneWhole) {
  const testing::ScratchFolder folder;
  testing::DatagramListener server(folder / "log");
  UnixSyslog destination(folder / "log", kOrigin, 64 << 10);
  ASSERT_TRUE(destination.Connect({}, Soon()).has_value());
  const std::string longer = ExampleLine("run.finished", 1'000'000);
  ASSERT_TRUE(destination.Send(ExampleRecord(longer), Soon()).has_value());
  EXPECT_EQ(server.Receive().value().payload,
            ShortenedSyslogMessage(kOrigin, ExampleRecord(longer)));
  const std::string line = ExampleLine();
  ASSERT_TRUE(destination.Send(ExampleRecord(line), Soon()).has_value());
  EXPECT_EQ(server.Receive().value().payload, SyslogMessage(kOrigin, ExampleRecord(line)));
}

TEST(UnixSyslog, AStreamGetsEveryRecordWholeAndInALineOfItsOwn) {
  Completion<std::string> got;
  const std::string longer = ExampleLine("run.finished", 1'000'000);
  const std::string line = ExampleLine();
  const std::string expected = SyslogMessage(kOrigin, ExampleRecord(longer)) + '\n' +
                               SyslogMessage(kOrigin, ExampleRecord(line)) + '\n';
  ScriptedServer server([&](ScriptedConnection& peer) {
    got.Set(peer.Read(expected.size()));
    peer.ReadAll();
  });
  UnixSyslog destination(server.socket_path(), kOrigin);
  ASSERT_TRUE(destination.Connect({}, Soon()).has_value());
  ASSERT_TRUE(destination.Send(ExampleRecord(longer), Soon()).has_value());
  ASSERT_TRUE(destination.Send(ExampleRecord(line), Soon()).has_value());
  ASSERT_TRUE(destination.Confirm(Soon()).has_value());
  EXPECT_TRUE(got.Wait({}, Soon()) == expected);
}

TEST(UnixSyslog, WhatAStreamsServerHasNotReadIsNotConfirmed) {
  ScriptedServer deaf([](ScriptedConnection& peer) {
    static_cast<void>(peer.Send("x"));
    while (peer.Send("x")) std::this_thread::sleep_for(milliseconds(5));
  });
  UnixSyslog destination(deaf.socket_path(), kOrigin);
  ASSERT_TRUE(destination.Connect({}, Soon()).has_value());
  const std::string line = ExampleLine();
  ASSERT_TRUE(destination.Send(ExampleRecord(line), Soon()).has_value());
  const auto confirmed = destination.Confirm(Deadline::After(milliseconds(50)));
  ASSERT_FALSE(confirmed.has_value());
  EXPECT_EQ(confirmed.error().code, ErrorCode::kDeadlineExceeded);
}

TEST(UnixSyslog, WhatWasSentToAServerThatHasGoneIsNotConfirmed) {
  ScriptedServer server([](ScriptedConnection& peer) { peer.Read(1); });
  UnixSyslog destination(server.socket_path(), kOrigin);
  ASSERT_TRUE(destination.Connect({}, Soon()).has_value());
  const std::string line = ExampleLine("run.denied", 100'000);
  const auto sent = destination.Send(ExampleRecord(line), Soon());
  EXPECT_FALSE(sent && destination.Confirm(Soon()));
}

TEST(UnixSyslog, NoServerIsAFailureThatNamesIt) {
  const testing::ScratchFolder folder;
  UnixSyslog destination(folder / "log", kOrigin);
  const auto connected = destination.Connect({}, Soon());
  ASSERT_FALSE(connected.has_value());
  EXPECT_THAT(connected.error().message, HasSubstr(folder / "log"));
}

}  // namespace
}  // namespace tidewaiter::forward
