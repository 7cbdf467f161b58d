#include "base/unique_fd.h"

#include <fcntl.h>
#include <gtest/gtest.h>

namespace tidewaiter {
namespace {

bool IsOpen(int fd) {
  return ::fcntl(fd, F_GETFD) >= 0;
}

UniqueFd OpenNull() {
  return UniqueFd(::open("/dev/null", O_RDONLY | O_CLOEXEC));
}

TEST(UniqueFd, ClosesWhatItOwns) {
  int number = -1;
  {
    const UniqueFd fd = OpenNull();
    number = fd.get();
    EXPECT_TRUE(IsOpen(number));
  }
  EXPECT_FALSE(IsOpen(number));
}

TEST(UniqueFd, MoveLeavesOneOwner) {
  UniqueFd first = OpenNull();
  const int number = first.get();
  const UniqueFd second = std::move(first);
  EXPECT_FALSE(first.valid());  // NOLINT(bugprone-use-after-move): that is the promise
  EXPECT_EQ(second.get(), number);
  EXPECT_TRUE(IsOpen(number));
}

TEST(UniqueFd, AssignmentClosesTheOldOne) {
  UniqueFd fd = OpenNull();
  const int old = fd.get();
  fd = OpenNull();
  EXPECT_FALSE(IsOpen(old));
  EXPECT_TRUE(IsOpen(fd.get()));
}

TEST(UniqueFd, ReleaseGivesOwnershipAway) {
  UniqueFd fd = OpenNull();
  const UniqueFd owner(fd.Release());
  EXPECT_FALSE(fd.valid());
  EXPECT_TRUE(IsOpen(owner.get()));
}

}  // namespace
}  // namespace tidewaiter
