// What is on disk before what: a program of its own, since it replaces the C library's calls. Power
// cannot be cut here, so the order of the calls is the fact; and at each of them the process dies.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zstd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "audit/log_store.h"
#include "audit/segment_keeper.h"
#include "audit/segment_name.h"
#include "audit/segment_packer.h"
#include "audit/verifier.h"
#include "tests/support/audit_store.h"
#include "tests/support/eventually.h"
#include "tests/unit/audit/durability/durable_calls.h"
#include "tests/unit/audit/scratch_folder.h"

namespace tidewaiter::audit {
namespace {

using std::chrono::hours;
using std::chrono::seconds;
using ::testing::ElementsAre;
using testing::Eventually;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::string Line(std::uint64_t index) {
  return R"({"index":)" + std::to_string(index) + R"(,"time":"t","type":"run.denied"})" + "\n";
}

std::string Name(std::uint64_t first, std::string_view suffix) {
  return SegmentFileName(first, suffix);
}

UniqueFd OpenFolder(const ScratchFolder& folder) {
  return UniqueFd(::open(folder.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

class Durability : public ::testing::Test {
 protected:
  Durability() {
    settings_.state_directory = state_directory_.get();
    settings_.checkpoint_records = 1;
  }
  LogStore Open() {
    auto store = LogStore::Open(directory_.get(), settings_, FileOperations::System());
    if (!store) ADD_FAILURE() << store.error().message;
    return *std::move(store);
  }
  Verdict Verify() const {
    auto verdict = VerifyLog(OpenFolder(folder_), {.key = settings_.key->verifier()});
    if (!verdict) ADD_FAILURE() << verdict.error().message;
    return verdict ? *verdict : Verdict{};
  }

  const ScratchFolder folder_;
  const ScratchFolder state_;
  const UniqueFd directory_ = OpenFolder(folder_);
  const UniqueFd state_directory_ = OpenFolder(state_);
  StoreSettings settings_ = testing::AuditStore();
};

TEST_F(Durability, ASegmentsCheckpointIsOnDiskBeforeItsFirstRecordIs) {
  const DurableCalls calls;
  LogStore store = Open();
  ASSERT_TRUE(store.Append(Line(0)).has_value());
  const std::string notes = Name(0, kCheckpointsSuffix);
  const std::string key = kPublicKeyName;
  EXPECT_THAT(DurableCalls::Seen(),
              ElementsAre("sync " + notes + ".new", "rename " + notes + ".new " + notes, "sync .",
                          "sync " + key + ".new", "rename " + key + ".new " + key, "sync .",
                          // The name of the file of lines, then its first line.
                          "sync .", "sync " + Name(0, kLinesSuffix)));
}

TEST_F(Durability, ACheckpointIsRememberedThenListedThenShown) {
  LogStore store = Open();
  ASSERT_TRUE(store.Append(Line(0)).has_value());
  const DurableCalls calls;
  ASSERT_TRUE(store.Sign().has_value());
  const std::string remembered = kRememberedName;
  const std::string newest = kCheckpointName;
  EXPECT_THAT(
      DurableCalls::Seen(),
      ElementsAre("sync " + remembered + ".new", "rename " + remembered + ".new " + remembered,
                  "sync .", "sync " + Name(0, kCheckpointsSuffix), "sync " + newest + ".new",
                  "rename " + newest + ".new " + newest, "sync ."));
}

TEST_F(Durability, ACompressedSegmentIsOnDiskBeforeItsLinesAreRemoved) {
  AppendText(folder_.File(Name(0, kLinesSuffix)), Line(0));
  const DurableCalls calls;
  ASSERT_TRUE(PackSegment(directory_.get(), 0, [] { return false; }).has_value());
  const std::string packed = Name(0, kPackedSuffix);
  EXPECT_THAT(DurableCalls::Seen(),
              ElementsAre("sync " + packed + ".new", "rename " + packed + ".new " + packed,
                          "sync " + packed, "sync .", "remove " + Name(0, kLinesSuffix)));
}

// As a disk could that writes something else than it was given.
TEST_F(Durability, WhatReadsBackAsOtherLinesDoesNotReplaceThem) {
  AppendText(folder_.File(Name(0, kLinesSuffix)), Line(0));
  const std::string fresh = Name(0, kPackedSuffix) + ".new";
  {
    const DurableCalls calls;
    DurableCalls::Before([&](const std::string& call) {
      if (call != "sync " + fresh) return;
      const std::string other = Line(1);
      std::string frame(::ZSTD_compressBound(other.size()), '\0');
      frame.resize(::ZSTD_compress(frame.data(), frame.size(), other.data(), other.size(), 1));
      std::ofstream(folder_.File(fresh), std::ios::binary | std::ios::trunc) << frame;
    });
    EXPECT_THAT(PackSegment(directory_.get(), 0, [] { return false; }).error().message,
                HasSubstr("does not read back the same"));
  }
  EXPECT_EQ(ReadText(folder_.File(Name(0, kLinesSuffix))), Line(0));
  EXPECT_FALSE(std::filesystem::exists(folder_.File(Name(0, kPackedSuffix))));
  EXPECT_FALSE(std::filesystem::exists(folder_.File(fresh)));
}

// A removal says so first, and is signed for; of each segment the records go before the checkpoint
// from which what is left is verified.
TEST_F(Durability, WhatIsRemovedWasSignedForAndGoesFromTheOldestOn) {
  LogSettings settings{.directory = folder_.path(), .broker_id = "b", .store = settings_};
  settings.store.segment_bytes = 1;
  auto log = Log::Open(std::move(settings));
  ASSERT_TRUE(log.has_value()) << log.error().message;
  Record record;
  record.type = RecordType::kRunDenied;
  for (std::uint64_t i = 1; i <= 3; ++i) {
    ASSERT_TRUE((*log)->Append(record, Deadline::After(seconds(20))).has_value());
    ASSERT_TRUE(Eventually([&] { return (*log)->End().segment == i; }));
  }
  ASSERT_TRUE((*log)->AwaitCheckpoint(3, {}, Deadline::After(seconds(20))));
  const DurableCalls calls;
  const auto keeper =
      SegmentKeeper::Start(**log, {.compress = false,
                                   .retention = hours(24),
                                   .interval = hours(1),
                                   .now = [now = Now() + hours(24)] { return now; }});
  const auto done = [] {
    const auto seen = DurableCalls::Seen();
    return std::find(seen.begin(), seen.end(), "remove " + Name(1, kCheckpointsSuffix)) !=
           seen.end();
  };
  ASSERT_TRUE(Eventually(done));
  const std::vector<std::string> seen = DurableCalls::Seen();
  const auto at = [&seen](const std::string& call, std::size_t from = 0) {
    return static_cast<std::size_t>(
        std::find(seen.begin() + static_cast<long>(from), seen.end(), call) - seen.begin());
  };
  const std::string shown = std::string("rename ") + kCheckpointName + ".new " + kCheckpointName;
  const std::size_t said = at("sync " + Name(3, kLinesSuffix));
  const std::size_t signed_for = at("sync .", at(shown, said));
  std::size_t before = signed_for;
  for (const std::uint64_t first : {0U, 1U}) {
    const std::size_t lines = at("remove " + Name(first, kLinesSuffix));
    const std::size_t synced = at("sync .", lines);
    const std::size_t notes = at("remove " + Name(first, kCheckpointsSuffix));
    EXPECT_LT(before, lines) << first;
    EXPECT_LT(synced, notes) << first;
    EXPECT_LT(notes, seen.size()) << first;
    before = notes;
  }
}

// Each as a number of calls after which the process dies, until it comes to its end.
TEST_F(Durability, AtWhicheverCallItDiesTheLogVerifiesAndGoesOn) {
  ASSERT_NE(testing::AuditKey(), nullptr);  // the children's, too
  settings_.segment_bytes = 3 * Line(0).size();
  void* const shared = ::mmap(nullptr, sizeof(std::uint64_t), PROT_READ | PROT_WRITE,
                              MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(shared, MAP_FAILED);
  auto* const told = new (shared) std::atomic<std::uint64_t>(0);
  int deaths = 0;
  while (true) {
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      const DurableCalls calls;
      int left = deaths;
      DurableCalls::Before([&left](const std::string&) {
        if (left-- == 0) ::_exit(42);
      });
      auto store = LogStore::Open(directory_.get(), settings_, FileOperations::System());
      if (!store) ::_exit(1);
      const std::uint64_t end = store->end().next_index + 4;
      while (store->end().next_index < end) {
        if (!store->Append(Line(store->end().next_index))) ::_exit(2);
        *told = store->end().next_index;
        if (!store->Sign() || !store->RotateIfDue()) ::_exit(3);
      }
      const auto segments = ListSegments(directory_.get());
      for (const SegmentFiles& each : *segments) {
        if (!each.lines || each.first >= store->end().segment) continue;
        if (!PackSegment(directory_.get(), each.first, [] { return false; })) ::_exit(4);
      }
      ::_exit(0);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFEXITED(status));
    SCOPED_TRACE("death at call " + std::to_string(deaths));
    ASSERT_THAT(WEXITSTATUS(status), ::testing::AnyOf(0, 42)) << "it failed by itself";
    if (std::filesystem::exists(folder_.File(Name(0, kLinesSuffix))) ||
        std::filesystem::exists(folder_.File(Name(0, kPackedSuffix)))) {
      const Verdict verdict = Verify();
      ASSERT_THAT(verdict.faults, IsEmpty()) << verdict.faults.front().message;
      ASSERT_GE(verdict.next_record, *told);
    }
    if (WEXITSTATUS(status) == 0) break;
    ++deaths;
  }
  EXPECT_GT(deaths, 20) << "less is called than is made durable";
  ::munmap(shared, sizeof(std::uint64_t));
}

}  // namespace
}  // namespace tidewaiter::audit
