#include "broker/rpc/listening_socket.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <fstream>
#include <optional>
#include <string>

#include "tests/support/scratch_folder.h"

namespace tidewaiter::rpc {
namespace {

using testing::ScratchFolder;

bool Connects(const std::string& path) {
  const UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), path.size());
  return ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0;
}

// A socket file on which nobody listens any more.
void MakeStale(const std::string& path) {
  const UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), path.size());
  ASSERT_EQ(::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
}

TEST(ListeningSocket, ListensWithTheModeThatWasAskedFor) {
  const ScratchFolder folder;
  const auto socket = ListeningSocket::Open(folder / "s", 0660);
  ASSERT_TRUE(socket.has_value()) << socket.error().message;
  EXPECT_FALSE(socket->activated());
  EXPECT_TRUE(Connects(folder / "s"));
  struct stat status {};
  ASSERT_EQ(::stat((folder / "s").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777U, 0660U);
}

TEST(ListeningSocket, RemovesItsFileAtTheEnd) {
  const ScratchFolder folder;
  ASSERT_TRUE(ListeningSocket::Open(folder / "s", 0666).has_value());
  EXPECT_FALSE(std::ifstream(folder / "s").good());
  struct stat status {};
  EXPECT_NE(::lstat((folder / "s").c_str(), &status), 0);
}

TEST(ListeningSocket, LeavesAFileThatIsNoLongerItsOwn) {
  const ScratchFolder folder;
  {
    const auto socket = ListeningSocket::Open(folder / "s", 0666);
    ASSERT_TRUE(socket.has_value());
    // Held open by another name, so that the inode's number is not used again at once.
    ASSERT_EQ(::rename((folder / "s").c_str(), (folder / "old").c_str()), 0);
    std::ofstream(folder / "s") << "x";
  }
  struct stat status {};
  EXPECT_EQ(::lstat((folder / "s").c_str(), &status), 0);
}

TEST(ListeningSocket, ReplacesAStaleSocket) {
  const ScratchFolder folder;
  MakeStale(folder / "s");
  const auto socket = ListeningSocket::Open(folder / "s", 0666);
  ASSERT_TRUE(socket.has_value()) << socket.error().message;
  EXPECT_TRUE(Connects(folder / "s"));
}

TEST(ListeningSocket, LeavesASocketThatAnswers) {
  const ScratchFolder folder;
  const auto first = ListeningSocket::Open(folder / "s", 0666);
  ASSERT_TRUE(first.has_value());
  const auto second = ListeningSocket::Open(folder / "s", 0666);
  ASSERT_FALSE(second.has_value());
  EXPECT_EQ(second.error().reason, "SOCKET_IN_USE");
  EXPECT_TRUE(Connects(folder / "s"));
}

// As a broker does between its look at the dead socket and its own listen.
TEST(ListeningSocket, LeavesAStaleSocketThatAnotherIsReplacing) {
  const ScratchFolder folder;
  MakeStale(folder / "s");
  UniqueFd other(::open((folder / "s.lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  ASSERT_EQ(::flock(other.get(), LOCK_EX | LOCK_NB), 0);
  const auto refused = ListeningSocket::Open(folder / "s", 0666);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().reason, "SOCKET_IN_USE");
  struct stat status {};
  EXPECT_EQ(::lstat((folder / "s").c_str(), &status), 0);
  other = UniqueFd();
  EXPECT_TRUE(ListeningSocket::Open(folder / "s", 0666).has_value());
}

TEST(ListeningSocket, HoldsItsLockWhileItLivesAndNoLonger) {
  const ScratchFolder folder;
  {
    const auto socket = ListeningSocket::Open(folder / "s", 0666);
    ASSERT_TRUE(socket.has_value());
    const UniqueFd other(::open((folder / "s.lock").c_str(), O_RDWR | O_CLOEXEC));
    ASSERT_TRUE(other);
    EXPECT_NE(::flock(other.get(), LOCK_EX | LOCK_NB), 0);
  }
  EXPECT_TRUE(ListeningSocket::Open(folder / "s", 0666).has_value());
}

TEST(ListeningSocket, DoesNotFollowALinkInPlaceOfItsLock) {
  const ScratchFolder folder;
  ASSERT_EQ(::symlink((folder / "elsewhere").c_str(), (folder / "s.lock").c_str()), 0);
  EXPECT_FALSE(ListeningSocket::Open(folder / "s", 0666).has_value());
  struct stat status {};
  EXPECT_NE(::lstat((folder / "elsewhere").c_str(), &status), 0);
}

TEST(ListeningSocket, LeavesAFileThatIsNoSocket) {
  const ScratchFolder folder;
  std::ofstream(folder / "s") << "precious";
  const auto socket = ListeningSocket::Open(folder / "s", 0666);
  ASSERT_FALSE(socket.has_value());
  std::string word;
  std::ifstream(folder / "s") >> word;
  EXPECT_EQ(word, "precious");
}

TEST(ListeningSocket, RefusesAPathThatTheKernelWouldCut) {
  EXPECT_FALSE(ListeningSocket::Open("/" + std::string(200, 'x'), 0666).has_value());
}

// As where systemd passed the socket that Open takes.
TEST(ListeningSocket, BindTakesNoSocketThatWasPassed) {
  const ScratchFolder folder;
  ASSERT_EQ(::setenv("LISTEN_PID", std::to_string(::getpid()).c_str(), 1), 0);
  ASSERT_EQ(::setenv("LISTEN_FDS", "1", 1), 0);
  const auto socket = ListeningSocket::Bind(folder / "s", 0600);
  ::unsetenv("LISTEN_PID");
  ::unsetenv("LISTEN_FDS");
  ASSERT_TRUE(socket.has_value()) << socket.error().message;
  EXPECT_FALSE(socket->activated());
  EXPECT_TRUE(Connects(folder / "s"));
}

}  // namespace
}  // namespace tidewaiter::rpc
