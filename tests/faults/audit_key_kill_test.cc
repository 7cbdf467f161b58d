// A process that changes the key of its log again and again is killed again and again: the next one
// goes on with the key that it finds, and the log verifies from the first key on, and with the last
// alone.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <string>
#include <thread>

#include "audit/log.h"
#include "audit/signing_key_file.h"
#include "audit/verifier.h"
#include "tests/support/scratch_folder.h"

namespace tidewaiter::testing {
namespace {

using ::testing::IsEmpty;

constexpr int kKills = 40;

UniqueFd OpenFolder(const std::string& path) {
  return UniqueFd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

[[noreturn]] void Give(const char* what, const Error& error) {
  std::fprintf(stderr, "%s: %s\n", what, error.message.c_str());
  ::_exit(1);
}

// As a broker does; never returns.
[[noreturn]] void ChangeKeysUntilKilled(const std::string& state, const std::string& folder,
                                        std::atomic<int>& changes) {
  const UniqueFd state_directory = OpenFolder(state);
  auto keys = audit::LoadOrCreateSigningKeys(state, "test");
  if (!keys) Give("load keys", keys.error());
  audit::LogSettings settings{.directory = folder, .broker_id = "test"};
  settings.store.key = keys->key;
  settings.store.successor = keys->successor;
  settings.store.state_directory = state_directory.get();
  settings.store.checkpoint_records = 4;
  const auto log = audit::Log::Open(std::move(settings));
  if (!log) Give("open log", log.error());
  audit::Record other;
  other.type = audit::RecordType::kRunDenied;
  while (true) {
    for (int i = 0; i < 6; ++i) (*log)->AppendEventually(other);
    const auto successor = audit::LoadOrCreateSuccessor(state, "test");
    if (!successor) Give("make key", successor.error());
    audit::Record record;
    record.type = audit::RecordType::kAuditKeyChanged;
    record.log.emplace().former_key = (*log)->PublicKey().ToString();
    record.log->key = (*successor)->verifier().ToString();
    const auto done = (*log)->HandOver(
        record, *successor, [&] { return audit::PromoteSuccessor(state, **successor); },
        Deadline::After(std::chrono::seconds(60)));
    if (!done) Give("hand over", done.error());
    ++changes;
  }
}

TEST(AuditKeyKill, TheLogVerifiesWhereverAChangeOfItsKeyIsCutShort) {
  const ScratchFolder folder;
  const std::string state = folder / "state";
  const std::string log = folder / "log";
  ASSERT_EQ(::mkdir(state.c_str(), 0700), 0);
  const auto first = audit::LoadOrCreateSigningKeys(state, "test");
  ASSERT_TRUE(first.has_value()) << first.error().message;
  void* const shared = ::mmap(nullptr, sizeof(std::atomic<int>), PROT_READ | PROT_WRITE,
                              MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(shared, MAP_FAILED);
  auto* const changes = new (shared) std::atomic<int>(0);
  for (int kill = 0; kill < kKills; ++kill) {
    *changes = 0;
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) ChangeKeysUntilKilled(state, log, *changes);
    int status = 0;
    while (*changes < 2 && ::waitpid(child, &status, WNOHANG) == 0) std::this_thread::yield();
    // Each time at another point of the next change.
    std::this_thread::sleep_for(std::chrono::microseconds(300 * kill));
    ::kill(child, SIGKILL);
    ::waitpid(child, &status, 0);
    ASSERT_TRUE(WIFSIGNALED(status)) << "it ended by itself: " << WEXITSTATUS(status);
    const auto keys = audit::LoadOrCreateSigningKeys(state, "test");
    ASSERT_TRUE(keys.has_value()) << keys.error().message;
    for (const auto& key : {first->key, keys->key}) {
      const auto verdict = audit::VerifyLog(OpenFolder(log), {.key = key->verifier()});
      ASSERT_TRUE(verdict.has_value()) << verdict.error().message;
      ASSERT_THAT(verdict->faults, IsEmpty())
          << "kill " << kill << ": " << verdict->faults.front().message;
    }
  }
  ::munmap(shared, sizeof(std::atomic<int>));
}

}  // namespace
}  // namespace tidewaiter::testing
