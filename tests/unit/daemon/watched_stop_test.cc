#include "broker/daemon/watched_stop.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <condition_variable>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <string>

#include "base/unique_fd.h"
#include "broker/daemon/process_setup.h"
#include "tests/support/scratch_folder.h"

namespace tidewaiter::daemon {
namespace {

using ::testing::HasSubstr;

// The service manager's side of sd_notify(3).
class WatchedStop : public ::testing::Test {
 protected:
  void SetUp() override {
    const std::string path = folder_ / "notify";
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    ASSERT_LT(path.size(), sizeof(address.sun_path));
    std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
    socket_ = UniqueFd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    // The socket API's own way: one address type for all families.
    ASSERT_EQ(::bind(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)),
              0);
    ::setenv("NOTIFY_SOCKET", path.c_str(), 1);
    ::setenv("WATCHDOG_USEC", "4000", 1);  // a tick is a quarter
    ::setenv("WATCHDOG_PID", std::to_string(::getpid()).c_str(), 1);
  }
  void TearDown() override {
    for (const char* name : {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"}) ::unsetenv(name);
  }

  // Waits for the next message.
  std::string Next() { return Receive(0); }
  bool NothingMore() { return Receive(MSG_DONTWAIT).empty(); }

  testing::ScratchFolder folder_;
  UniqueFd socket_;
  const sigset_t signals_ = BlockSignals();

 private:
  std::string Receive(int flags) {
    std::array<char, 512> buffer{};
    const ssize_t size = ::recv(socket_.get(), buffer.data(), buffer.size(), flags);
    return size > 0 ? std::string(buffer.data(), static_cast<std::size_t>(size)) : std::string();
  }
};

TEST_F(WatchedStop, SystemdIsToldForAsLongAsTheWorkGoesOn) {
  ServiceManager manager;
  std::string last;
  AwaitStop(signals_, manager,
            {.work =
                 [&] {
                   for (int i = 0; i < 3; ++i) last = Next();
                 },
             .alive = [] { return true; },
             .on_signal = [] {},
             .longest = std::chrono::hours(1)});
  EXPECT_THAT(last, HasSubstr("WATCHDOG=1"));
  EXPECT_THAT(last, HasSubstr("EXTEND_TIMEOUT_USEC=4000"));
}

TEST_F(WatchedStop, SystemdIsNotToldThatADeadStopGoesOn) {
  ServiceManager manager;
  std::mutex mutex;
  std::condition_variable asked_often;
  int asked = 0;
  AwaitStop(signals_, manager,
            {.work =
                 [&] {
                   std::unique_lock lock(mutex);
                   asked_often.wait(lock, [&] { return asked >= 3; });
                 },
             .alive =
                 [&] {
                   const std::lock_guard lock(mutex);
                   ++asked;
                   asked_often.notify_all();
                   return false;
                 },
             .on_signal = [] {},
             .longest = std::chrono::hours(1)});
  EXPECT_THAT(Next(), HasSubstr("WATCHDOG=1")) << "the one at its beginning";
  EXPECT_TRUE(NothingMore());
}

TEST_F(WatchedStop, AFurtherSignalIsPassedOn) {
  ServiceManager manager;
  std::atomic<bool> passed = false;
  AwaitStop(signals_, manager,
            {.work =
                 [&] {
                   ::kill(::getpid(), SIGTERM);
                   passed.wait(false);
                 },
             .alive = [] { return true; },
             .on_signal =
                 [&] {
                   passed = true;
                   passed.notify_all();
                 },
             .longest = std::chrono::hours(1)});
  EXPECT_TRUE(passed);
}

TEST_F(WatchedStop, AReloadIsOverWhenTheLastIs) {
  ServiceManager manager;
  manager.Reloading();
  EXPECT_EQ(Next(), "RELOADING=1");
  manager.Reloading();
  EXPECT_EQ(Next(), "RELOADING=1");
  manager.Reloaded("refused");
  EXPECT_TRUE(NothingMore());
  manager.Reloaded("serving");
  EXPECT_EQ(Next(), "READY=1\nSTATUS=serving");
}

// Else systemd would take a broker that drains for one that serves.
TEST_F(WatchedStop, AReloadThatEndsAfterTheStopHasBegunSaysNothing) {
  ServiceManager manager;
  manager.Reloading();
  EXPECT_EQ(Next(), "RELOADING=1");
  manager.Stopping("draining");
  EXPECT_EQ(Next(), "STOPPING=1\nSTATUS=draining");
  manager.Reloaded("serving");
  EXPECT_TRUE(NothingMore());
}

}  // namespace
}  // namespace tidewaiter::daemon
