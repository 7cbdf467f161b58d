// The starter's side, with stand-ins for the worker: shell scripts that behave as a worker might.
#include "extract/worker_process.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "tests/support/broker_process.h"
#include "tests/support/scratch_folder.h"

namespace tidewaiter::extract {
namespace {

class FedWorkerTest : public ::testing::Test {
 protected:
  FedWorkerTest() : into_(::open(folder_.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)) {
    std::signal(SIGPIPE, SIG_IGN);
  }

  WorkerProcess Start(const std::string& script) {
    const std::string path = folder_ / "worker";
    std::ofstream(path) << "#!/bin/sh\nPATH=/usr/bin:/bin\n" << script << "\n";
    ::chmod(path.c_str(), 0700);
    auto worker = WorkerProcess::StartFed(path, into_.get(), {});
    EXPECT_TRUE(worker) << worker.error().message;
    return *std::move(worker);
  }

  testing::ScratchFolder folder_;
  UniqueFd into_;
  const std::string much_ = std::string(std::size_t{4} << 20U, 'x');  // more than the pipe holds
};

TEST_F(FedWorkerTest, ReadsWhatItIsFedToItsEnd) {
  WorkerProcess worker = Start("printf 'accepted 1 %s\\n' $(wc -c) >&4");
  ASSERT_TRUE(worker.Feed(SharedBytes(much_)));
  ASSERT_TRUE(worker.Feed(SharedBytes("abc")));
  const auto summary = worker.Wait();
  ASSERT_TRUE(summary) << summary.error().message;
  EXPECT_EQ(summary->bytes, much_.size() + 3);
}

// The pipe refers to them: whoever changed or freed them would change the archive.
TEST_F(FedWorkerTest, WhatItIsFedIsHeldUntilItHasReadIt) {
  const std::string go = folder_ / "go";
  WorkerProcess worker = Start("until [ -e '" + go +
                               "' ]; do sleep 0.01; done\n"
                               "head -c 65536 > '" +
                               go + ".1'; mv '" + go + ".1' '" + go +
                               ".2'\n"
                               "printf 'accepted 1 %s\\n' $(wc -c) >&4");
  auto owner = std::make_shared<const std::string>(65536, 'x');
  const std::weak_ptr<const std::string> held = owner;
  ASSERT_TRUE(worker.Feed(SharedBytes({std::string_view(*owner)}, owner)));
  owner.reset();
  ASSERT_TRUE(worker.Feed(SharedBytes("y")));
  EXPECT_FALSE(held.expired());
  std::ofstream(go).close();
  ASSERT_TRUE(testing::Eventually(std::chrono::seconds(20),
                                  [&] { return std::filesystem::exists(go + ".2"); }));
  ASSERT_TRUE(worker.Feed(SharedBytes("z")));
  EXPECT_TRUE(held.expired());
  const auto summary = worker.Wait();
  ASSERT_TRUE(summary) << summary.error().message;
  EXPECT_EQ(summary->bytes, 2U);
}

// As they come from a network: none of them where a page begins, more than one call may take.
TEST_F(FedWorkerTest, BytesInManyPartsArriveInTheirOrder) {
  WorkerProcess worker = Start("cat > '" + (folder_ / "came") + "'; printf 'accepted 1 0\\n' >&4");
  std::string text;
  for (int i = 0; i < 300'000; ++i) text += std::to_string(i);
  auto owner = std::make_shared<const std::string>(text);
  std::vector<std::string_view> parts;
  std::string_view rest = *owner;
  for (std::size_t length = 1; !rest.empty(); length = length * 7 % 10007) {
    parts.push_back(rest.substr(0, length));
    rest.remove_prefix(parts.back().size());
  }
  ASSERT_TRUE(worker.Feed(SharedBytes(std::move(parts), owner)));
  ASSERT_TRUE(worker.Wait());
  std::ostringstream came;
  came << std::ifstream(folder_ / "came").rdbuf();
  EXPECT_TRUE(came.str() == text);  // not EQ: it would print megabytes
}

// More of them than their pipe holds, before it reads.
TEST_F(FedWorkerTest, ReportsAreTakenInWhileItIsFed) {
  WorkerProcess worker = Start(
      "i=0; while [ $i -lt 10000 ]; do i=$((i + 1)); printf 'progress %s 0\\n' $i; done >&4\n"
      "cat > /dev/null; printf 'accepted 10000 0\\n' >&4");
  ASSERT_TRUE(worker.Feed(SharedBytes(much_)));
  EXPECT_EQ(worker.progress().entries, 10000U);
  EXPECT_TRUE(worker.Wait());
}

TEST_F(FedWorkerTest, ItsEarlyRefusalEndsTheFeedingAndIsTold) {
  WorkerProcess worker = Start("head -c 10 > /dev/null; printf 'refused fifo 3 1\\nno!a' >&4");
  EXPECT_FALSE(worker.Feed(SharedBytes(much_)));
  const auto end = worker.Wait();
  ASSERT_FALSE(end);
  EXPECT_EQ(end.error(), (Refusal{Code::kFifo, "no!", "a"}));
}

TEST_F(FedWorkerTest, ItsDeathEndsTheFeedingAndIsTold) {
  WorkerProcess worker = Start("kill -9 $$");
  EXPECT_FALSE(worker.Feed(SharedBytes(much_)));
  const auto end = worker.Wait();
  ASSERT_FALSE(end);
  EXPECT_EQ(end.error().message, "the worker was killed by signal 9");
}

TEST_F(FedWorkerTest, NonsenseEndsTheFeeding) {
  WorkerProcess worker = Start("echo hello >&4; exec sleep 1000");
  EXPECT_FALSE(worker.Feed(SharedBytes(much_)));
  const auto end = worker.Wait();
  ASSERT_FALSE(end);
  EXPECT_EQ(end.error().message, "the worker said what it cannot mean");
}

TEST_F(FedWorkerTest, OneThatReadsNothingIsKilledAtTheDeadline) {
  WorkerProcess worker = Start("exec sleep 1000");
  const auto fed =
      worker.Feed(SharedBytes(much_), {}, Deadline::After(std::chrono::milliseconds(50)));
  ASSERT_FALSE(fed);
  EXPECT_EQ(fed.error().message, "the extraction took too long");
  EXPECT_FALSE(worker.Wait());
}

TEST_F(FedWorkerTest, OneThatDoesNotEndIsKilledAtTheDeadline) {
  WorkerProcess worker = Start("exec sleep 1000");
  const auto end = worker.Wait({}, {}, Deadline::After(std::chrono::milliseconds(50)));
  ASSERT_FALSE(end);
  EXPECT_EQ(end.error().message, "the extraction took too long");
}

// One that was taken over.
TEST_F(FedWorkerTest, OneThatClosesItsReportAndStaysIsKilledAtTheDeadline) {
  for (const char* said : {"", "accepted 0 0"}) {
    WorkerProcess worker =
        Start("echo '" + std::string(said) + "' >&4; exec 4>&-; exec sleep 1000");
    const auto end = worker.Wait({}, {}, Deadline::After(std::chrono::milliseconds(50)));
    ASSERT_FALSE(end) << said;
  }
}

TEST_F(FedWorkerTest, AWatchThatSaysNoEndsOneThatClosesItsReportAndStays) {
  WorkerProcess worker = Start("printf 'accepted 0 0\\n' >&4; exec 4>&-; exec sleep 1000");
  int asked = 0;
  worker.Watch([&asked] { return ++asked < 3; });
  const auto end = worker.Wait();
  ASSERT_FALSE(end);
  EXPECT_EQ(end.error().message, "the extraction took too long");
}

TEST_F(FedWorkerTest, AStopEndsTheFeedingAndTheWait) {
  WorkerProcess worker = Start("exec sleep 1000");
  std::stop_source stop;
  stop.request_stop();
  const auto fed = worker.Feed(SharedBytes(much_), stop.get_token());
  ASSERT_FALSE(fed);
  EXPECT_EQ(fed.error().message, "the extraction was stopped");
  EXPECT_FALSE(worker.Wait(stop.get_token()));
}

// One that was taken over says what it likes.
TEST_F(FedWorkerTest, MoreThanItMayTakeIsNotBelieved) {
  for (const char* said : {"accepted 7 18446744063090000000", "accepted 100001 5"}) {
    WorkerProcess worker = Start("cat >/dev/null; echo '" + std::string(said) + "' >&4");
    const auto summary = worker.Wait();
    ASSERT_FALSE(summary) << said;
    EXPECT_EQ(summary.error().code, Code::kWorker);
  }
}

TEST_F(FedWorkerTest, AWatchThatSaysNoEndsTheWaitForOneThatDoesNothing) {
  WorkerProcess worker = Start("sleep 100");
  int asked = 0;
  worker.Watch([&asked] { return ++asked < 2; });
  const auto summary = worker.Wait();
  ASSERT_FALSE(summary);
  EXPECT_EQ(summary.error().code, Code::kWorker);
}

}  // namespace
}  // namespace tidewaiter::extract
