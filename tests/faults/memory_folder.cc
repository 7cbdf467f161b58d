// Hundreds of brokers journal every step of every run: on a disk that others use too, its worst
// moments would look like the broker's. So this program and the brokers that it starts see a /run
// of their own, in memory, which goes with them.
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>

#include <cstdlib>

namespace tidewaiter::testing {
namespace {

class MemoryFolder final : public ::testing::Environment {
 public:
  // Before any thread is there. Without the right to it, the disk has to do.
  void SetUp() override {
    if (std::getenv("TIDEWAITER_TEST_SCRATCH") != nullptr || ::unshare(CLONE_NEWNS) != 0) return;
    if (::mount("", "/", nullptr, MS_PRIVATE | MS_REC, nullptr) != 0) return;
    ::mount("tidewaiter", "/run", "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755,size=1g");
  }
};

// gtest owns it.
[[maybe_unused]] const auto* const kFolder = ::testing::AddGlobalTestEnvironment(new MemoryFolder);

}  // namespace
}  // namespace tidewaiter::testing
