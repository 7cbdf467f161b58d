// A process that writes records as fast as it can is killed again and again: its log verifies every
// time, nobody was told of a record that is not there, and the next process goes on from it.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "audit/log.h"
#include "audit/verifier.h"
#include "tests/support/audit_store.h"
#include "tests/support/scratch_folder.h"

namespace tidewaiter::testing {
namespace {

using ::testing::IsEmpty;

constexpr int kKills = 50;
constexpr int kKillsOfALog = 5;
constexpr std::uint64_t kRecordsEach = 10'000;

// What the writer has been told, where its killer can see it.
struct Told {
  std::atomic<std::uint64_t> next_index{0};  // behind the newest that is durable by its word
  std::atomic<std::uint64_t> written{0};
};

Told* ShareTold() {
  void* const shared =
      ::mmap(nullptr, sizeof(Told), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  return shared == MAP_FAILED ? nullptr : new (shared) Told();
}

// Never returns.
[[noreturn]] void WriteUntilKilled(const std::string& folder, Told& told) {
  audit::LogSettings settings{.directory = folder, .broker_id = "b", .store = AuditStore()};
  settings.store.segment_bytes = 200'000;
  settings.store.checkpoint_records = 100;
  const auto log = audit::Log::Open(std::move(settings));
  if (!log) {
    std::fprintf(stderr, "%s\n", log.error().message.c_str());
    ::_exit(1);
  }
  std::vector<std::jthread> writers;
  for (int i = 0; i < 4; ++i) {
    writers.emplace_back([&] {
      audit::Record record;
      record.type = audit::RecordType::kRunDenied;
      record.detail = std::string(200, 'd');
      while (told.written < kRecordsEach) {
        for (int n = 0; n < 64; ++n) (*log)->AppendEventually(record);
        const auto index = (*log)->Append(record, Deadline::After(std::chrono::seconds(60)));
        if (!index) ::_exit(2);
        std::uint64_t known = told.next_index;
        while (known < *index + 1 && !told.next_index.compare_exchange_weak(known, *index + 1)) {
        }
        told.written += 65;
      }
    });
  }
  writers.clear();
  while (true) ::pause();
}

TEST(AuditKill, TheLogVerifiesHoweverOftenItsWriterIsKilledAmidTenThousandRecords) {
  const ScratchFolder folder;
  ASSERT_NE(AuditKey(), nullptr);  // made before the children, which all sign with it
  Told* const told = ShareTold();
  ASSERT_NE(told, nullptr);
  std::string path;
  std::uint64_t before = 0;
  for (int kill = 0; kill < kKills; ++kill) {
    if (kill % kKillsOfALog == 0) {
      path = folder / "log" + std::to_string(kill);
      told->next_index = before = 0;
    }
    told->written = 0;
    const pid_t writer = ::fork();
    ASSERT_GE(writer, 0);
    if (writer == 0) WriteUntilKilled(path, *told);
    // Each time at another point of the ten thousand, the last one before their end.
    const std::uint64_t until = kRecordsEach * static_cast<std::uint64_t>(kill + 1) / (kKills + 1);
    int status = 0;
    while (told->written < until && ::waitpid(writer, &status, WNOHANG) == 0) {
      std::this_thread::sleep_for(std::chrono::microseconds(200));
    }
    ::kill(writer, SIGKILL);
    ::waitpid(writer, &status, 0);
    ASSERT_TRUE(WIFSIGNALED(status)) << "it ended by itself: " << WEXITSTATUS(status);
    const auto verdict =
        audit::VerifyLog(UniqueFd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)),
                         {.key = AuditKey()->verifier()});
    ASSERT_TRUE(verdict.has_value()) << verdict.error().message;
    ASSERT_THAT(verdict->faults, IsEmpty()) << verdict->faults.front().message;
    ASSERT_GE(verdict->next_record, told->next_index) << "a record was told of and is not there";
    ASSERT_GT(verdict->next_record, before) << "nothing was written";
    before = verdict->next_record;
  }
  ::munmap(told, sizeof(Told));
}

}  // namespace
}  // namespace tidewaiter::testing
