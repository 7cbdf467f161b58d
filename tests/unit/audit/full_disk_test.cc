// A log on a small file system that something else fills: no call is made to fail here.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <string>
#include <vector>

#include "audit/verifier.h"
#include "base/unique_fd.h"
#include "tests/support/required.h"
#include "tests/unit/audit/faulty_log.h"
#include "tests/unit/audit/small_disk.h"

namespace tidewaiter::audit {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

class FullDiskTest : public FaultyLog {
 protected:
  ~FullDiskTest() override { log_.reset(); }

  // Somebody else's file takes all that there is.
  void Fill() {
    const UniqueFd file(::open(filler_.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    const std::string block(4096, 'x');
    while (::write(file.get(), block.data(), block.size()) > 0) {
    }
    ASSERT_EQ(errno, ENOSPC);
    ASSERT_EQ(::fdatasync(file.get()), 0);
  }
  // Names of runs, in order, of the records of this type.
  [[nodiscard]] std::vector<std::string> RunsOf(const std::string& type) const {
    std::vector<std::string> runs;
    for (const auto& record : Records()) {
      if (record["type"] == type) runs.push_back(record["run_id"]);
    }
    return runs;
  }

  void RefusesAdmissionsAndKeepsTheEnds() {
    settings_.store.reserve_bytes = std::uint64_t{256} << 10U;
    Open();
    Fill();
    // The step that is allocated ahead is for anybody.
    int admitted = 0;
    Result<std::uint64_t> last = Append("early");
    for (; last.has_value(); last = Append("early")) ASSERT_LT(++admitted, 10'000);
    EXPECT_THAT(last.error().message, HasSubstr("No space left on device; what is left is kept"));

    std::vector<std::string> ended;
    for (int i = 0; i < 100; ++i) AppendEventually(ended.emplace_back(std::to_string(i)));
    Drain();
    EXPECT_EQ(RunsOf("run.finished"), ended) << "in the file, on a disk that has no more";
    EXPECT_FALSE(Append("refused").has_value());

    // More than the reserve holds.
    for (int i = 100; i < 2000; ++i) AppendEventually(ended.emplace_back(std::to_string(i)));
    std::filesystem::remove(filler_);
    Drain();
    ASSERT_TRUE(IsTold(true));
    ASSERT_TRUE(Append("late").has_value());
    EXPECT_EQ(RunsOf("run.finished"), ended);
    EXPECT_EQ(RunsOf("run.admitted").back(), "late");
    EXPECT_EQ(Refused(), 2);
    log_.reset();
    const auto verdict =
        VerifyLog(UniqueFd(::open(folder_.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)),
                  {.key = settings_.store.key->verifier()});
    ASSERT_TRUE(verdict.has_value()) << verdict.error().message;
    EXPECT_THAT(verdict->faults, IsEmpty());
  }

  // As the gaps tell.
  [[nodiscard]] int Refused() const {
    int refused = 0;
    for (const auto& record : Records()) {
      if (record["type"] == "audit.gap") refused += record["log"].value("refused_records", 0);
    }
    return refused;
  }

  ScratchFolder image_;
  const std::string filler_ = folder_.File("filler");
  SmallDisk disk_;
};

TEST_F(FullDiskTest, InMemoryRefusesAdmissionsAndKeepsTheEnds) {
  TW_REQUIRE_ROOT();
  if (!disk_.MountMemory(folder_.path())) {
    TW_REFUSED_TO_ROOT("may not mount");
  }
  RefusesAdmissionsAndKeepsTheEnds();
}

// Its reserve is there, and what is there is enough.
TEST_F(FullDiskTest, ARestartOnAFullDiskAdmits) {
  TW_REQUIRE_ROOT();
  if (!disk_.MountMemory(folder_.path())) {
    TW_REFUSED_TO_ROOT("may not mount");
  }
  settings_.store.reserve_bytes = std::uint64_t{256} << 10U;
  Open();
  Fill();
  log_.reset();
  Open();
  const auto admitted = Append("early");
  EXPECT_TRUE(admitted.has_value()) << admitted.error().message;
}

TEST_F(FullDiskTest, OfExt4RefusesAdmissionsAndKeepsTheEnds) {
  TW_REQUIRE_ROOT();
  if (!disk_.MountExt4(image_.File("image"), folder_.path())) {
    TW_REFUSED_TO_ROOT("has no mkfs.ext4, or no loop device");
  }
  RefusesAdmissionsAndKeepsTheEnds();
}

}  // namespace
}  // namespace tidewaiter::audit
