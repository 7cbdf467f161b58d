#include "broker/rpc/peer_process.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>

#include "base/unique_fd.h"
#include "tests/support/scratch_folder.h"

namespace tidewaiter::rpc {
namespace {

using ::testing::StartsWith;

// proc(5): 19 fields from the state to the one before the start, as of a process that sleeps.
constexpr char kBeforeStart[] = " S 1 2 2 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 ";

std::string Stat(const std::string& name, const std::string& start = "987654") {
  return "4711 (" + name + ")" + kBeforeStart + start + " 12345 67 18446744073709551615\n";
}

PeerProcess ReadHere(pid_t pid) {
  const UniqueFd proc(::open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC));
  return ReadProcess(proc.get(), pid);
}

// A child that connects to this process's end, with `name` for its own, and then ends, or waits to
// be killed.
class Peer {
 public:
  explicit Peer(bool stays, const char* name = "peer") {
    const UniqueFd listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path_.data(), path_.size());
    const auto* const generic = reinterpret_cast<const sockaddr*>(&address);
    EXPECT_EQ(::bind(listener.get(), generic, sizeof(address)), 0);
    EXPECT_EQ(::listen(listener.get(), 1), 0);
    pid_ = ::fork();
    if (pid_ == 0) {
      ::prctl(PR_SET_NAME, name);
      const int fd = ::socket(AF_UNIX, SOCK_STREAM, 0);
      if (::connect(fd, generic, sizeof(address)) != 0) ::_exit(1);
      while (stays) ::pause();
      ::_exit(0);
    }
    connection_ = UniqueFd(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
  }
  ~Peer() { End(); }
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;

  void End() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }
  [[nodiscard]] pid_t pid() const { return pid_; }
  [[nodiscard]] PeerProcess Read(pid_t pid) const {
    return ReadPeerProcess(connection_.get(), pid);
  }

 private:
  testing::ScratchFolder folder_;
  const std::string path_ = folder_ / "s";
  pid_t pid_ = -1;
  UniqueFd connection_;
};

TEST(PeerProcess, TellsWhenItBeganAndItsProgram) {
  const PeerProcess self = ReadHere(::getpid());
  ASSERT_TRUE(self.start.has_value());
  EXPECT_EQ(self.executable, std::filesystem::read_symlink("/proc/self/exe"));
  const Peer peer(true);
  const PeerProcess child = peer.Read(peer.pid());
  ASSERT_TRUE(child.start.has_value());
  EXPECT_GE(*child.start, *self.start);
  EXPECT_EQ(child.executable, self.executable);
}

// Else a record would name whoever has its pid now.
TEST(PeerProcess, OneThatHasEndedIsNotTakenForAnother) {
  Peer peer(false);
  const pid_t pid = peer.pid();
  siginfo_t info{};
  ASSERT_EQ(::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOWAIT), 0);
  EXPECT_TRUE(ReadHere(pid).start.has_value());  // its entry is still there
  EXPECT_EQ(peer.Read(pid), PeerProcess());
  peer.End();
  EXPECT_EQ(peer.Read(pid), PeerProcess());
  // As where its pid has been given to another by now: this process's, which is alive.
  EXPECT_EQ(peer.Read(::getpid()), PeerProcess());
}

TEST(PeerProcess, OneOfAnotherNamespaceIsUnknown) {
  EXPECT_EQ(ReadHere(0), PeerProcess());
  EXPECT_EQ(ReadHere(-1), PeerProcess());
  const testing::ScratchFolder nothing;
  const UniqueFd empty(::open(nothing.path().c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  EXPECT_EQ(ReadProcess(empty.get(), ::getpid()), PeerProcess());
}

TEST(PeerProcess, AProgramThatMayNotBeSeenLeavesTheNameInBrackets) {
  const testing::ScratchFolder proc;
  std::filesystem::create_directory(proc / "42");
  std::ofstream(proc / "42/stat") << Stat("/usr/bin/sudo");
  const UniqueFd folder(::open(proc.path().c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  EXPECT_EQ(ReadProcess(folder.get(), 42),
            (PeerProcess{.start = 987654, .executable = "[/usr/bin/sudo]"}));
}

TEST(PeerProcess, AHostileNameOfALivingProcessDoesNotMoveTheFields) {
  const Peer peer(true, "a) R 1 (b");
  const PeerProcess self = ReadHere(::getpid());
  const PeerProcess child = peer.Read(peer.pid());
  ASSERT_TRUE(child.start.has_value());
  EXPECT_GE(*child.start, *self.start);
}

TEST(PeerProcess, AProgramsHostileNameIsPrintable) {
  const testing::ScratchFolder proc;
  std::filesystem::create_directory(proc / "42");
  std::ofstream(proc / "42/stat") << Stat("x");
  std::filesystem::create_symlink("/tmp/" + std::string(2000, '\x1b') + "\n\xff", proc / "42/exe");
  const UniqueFd folder(::open(proc.path().c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  const PeerProcess process = ReadProcess(folder.get(), 42);
  EXPECT_THAT(process.executable, StartsWith("/tmp/\\x1b\\x1b"));
  EXPECT_LE(process.executable.size(), 1100U);
}

TEST(ParseStat, ReadsTheFieldsBehindTheLastParenthesis) {
  for (const std::string name : {"a) b", ") S 1 2 2 0 -1 1 1 1 1 1 1 1 1 1 1 1 1 1 666", "((", "))",
                                 "a\nb", " ", "a) R 1 (b"}) {
    EXPECT_EQ(ParseStat(Stat(name)).start, 987654U) << name;
  }
  EXPECT_EQ(ParseStat(Stat("a\nb")).executable, "[a\\x0ab]");
  EXPECT_EQ(ParseStat(Stat("")), (PeerProcess{.start = 987654, .executable = ""}));
  EXPECT_EQ(ParseStat(Stat("x", "18446744073709551615")).start, 18446744073709551615U);
}

TEST(ParseStat, WhatIsNoneTellsNothing) {
  for (const std::string& text :
       {std::string(), std::string("4711"), std::string("4711 (x"), std::string("4711 )x("),
        std::string("4711 (x)"), std::string("4711 (x)") + kBeforeStart,
        Stat("x", "18446744073709551616"), Stat("x", "-1"), Stat("x", "12x")}) {
    EXPECT_EQ(ParseStat(text), PeerProcess()) << text;
  }
}

}  // namespace
}  // namespace tidewaiter::rpc
