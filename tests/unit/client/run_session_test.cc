#include "client/run_session.h"

#include <gtest/gtest.h>

#include <string>
#include <thread>

#include "tests/support/scripted_broker.h"

namespace tidewaiter::client {
namespace {

using testing::AdmittedEvent;
using testing::RunStream;
using testing::ScriptedBroker;

// A broker that takes nothing of an upload is one that flow control lets wait.
TEST(RunSession, ARunIsCancelledWhileItsUploadIsHeldBack) {
  const ScriptedBroker broker([&broker](RunStream& stream) {
    stream.Write(AdmittedEvent());
    while (broker.cancels() == 0) std::this_thread::yield();
    return grpc::Status::OK;
  });
  auto connection =
      Connection::Open(broker.socket_path(), Deadline::After(std::chrono::seconds(10)));
  ASSERT_TRUE(connection) << connection.error().message;
  v1::RunSpec spec;
  spec.add_mounts()->mutable_input()->set_name("a");
  RunSession session(*connection, spec, {});
  ASSERT_TRUE(session.Next());
  std::thread upload([&] {
    const std::string piece(1 << 18, 'x');
    while (session.WriteInput("a", piece, false)) {
    }
  });
  EXPECT_TRUE(session.RequestCancel());
  EXPECT_FALSE(session.Next());
  EXPECT_FALSE(session.Finish());
  upload.join();
  EXPECT_EQ(broker.cancels(), 1);
}

}  // namespace
}  // namespace tidewaiter::client
