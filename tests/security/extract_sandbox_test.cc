// The archive worker's sandbox from inside: what hostile code in it could try, each alone.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/openat2.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <condition_variable>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

#include "base/unique_fd.h"
#include "extract/sandbox.h"
#include "tests/support/scratch_folder.h"

namespace tidewaiter::testing {
namespace {

// How the kernel took it: "killed by SIGSYS", or the errno with which it failed; 0 where it worked.
constexpr int kKilled = -1;
constexpr int kNotEntered = -2;

class ExtractSandbox : public ::testing::Test {
 protected:
  ExtractSandbox() : inside_(::open(folder_.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)) {
    std::ofstream(outside_ / "secret") << "secret";
  }

  // Tries it in a process of its own that has entered the sandbox; `attempt` gives 0 or -1 and
  // errno.
  int Try(const std::function<long(int directory)>& attempt) {
    const pid_t child = ::fork();
    if (child == 0) {
      extract::SandboxLimits limits;
      limits.file_bytes = 1000;
      if (!extract::EnterSandbox(inside_.get(), limits)) ::_exit(255);
      const long result = attempt(inside_.get());
      ::_exit(result < 0 ? errno : 0);
    }
    return EndOf(child);
  }

  static int EndOf(pid_t child) {
    int status = 0;
    ::waitpid(child, &status, 0);
    if (WIFSIGNALED(status)) return WTERMSIG(status) == SIGSYS ? kKilled : WTERMSIG(status) + 1000;
    return WEXITSTATUS(status) == 255 ? kNotEntered : WEXITSTATUS(status);
  }

  // The same by a thread that was there before the sandbox was closed.
  int TryInThread(const std::function<long(int directory)>& attempt) {
    const pid_t child = ::fork();
    if (child == 0) {
      // Not an atomic's wait, which gives way by a system call that is gone (sched_yield).
      std::mutex mutex;
      std::condition_variable changed;
      bool running = false;
      bool go = false;
      const auto work = [&] {
        {
          std::unique_lock lock(mutex);
          running = true;
          changed.notify_all();
          changed.wait(lock, [&] { return go; });
        }
        const long result = attempt(inside_.get());
        ::_exit(result < 0 ? errno : 0);
      };
      extract::SandboxLimits limits;
      limits.file_bytes = 1000;
      std::thread thread;
      std::unique_lock lock(mutex);
      if (!extract::EnterSandbox(inside_.get(), limits, [&] {
            thread = std::thread(work);
            changed.wait(lock, [&] { return running; });
          })) {
        ::_exit(255);
      }
      go = true;
      changed.notify_all();
      changed.wait(lock, [] { return false; });  // the thread ends the process
    }
    return EndOf(child);
  }

  static long Open(int folder, const char* path, std::uint64_t flags) {
    open_how how{};
    how.flags = flags;
    how.mode = (flags & O_CREAT) != 0 ? 0600 : 0;
    return ::syscall(SYS_openat2, folder, path, &how, sizeof(how));
  }

  ScratchFolder folder_;
  ScratchFolder outside_;
  UniqueFd inside_;
};

TEST_F(ExtractSandbox, WritesNewFilesAndFoldersInItsDirectory) {
  EXPECT_EQ(Try([](int folder) { return Open(folder, "new", O_WRONLY | O_CREAT | O_EXCL); }), 0);
  EXPECT_EQ(Try([](int folder) { return ::mkdirat(folder, "folder", 0700); }), 0);
}

TEST_F(ExtractSandbox, OpensNothingOutside) {
  const std::string secret = outside_ / "secret";
  EXPECT_EQ(Try([&](int) { return Open(AT_FDCWD, secret.c_str(), O_RDONLY); }), EACCES);
  EXPECT_EQ(Try([](int) { return Open(AT_FDCWD, "/etc/passwd", O_RDONLY); }), EACCES);
  const std::string path = "../" + outside_.path().substr(outside_.path().rfind('/') + 1) + "/new";
  EXPECT_EQ(Try([&](int folder) { return Open(folder, path.c_str(), O_WRONLY | O_CREAT); }),
            EACCES);
  EXPECT_EQ(Try([&](int) { return ::open(secret.c_str(), O_RDONLY); }), kKilled);
}

TEST_F(ExtractSandbox, MakesNoFolderOutside) {
  const std::string path = outside_ / "new";
  EXPECT_EQ(Try([&](int) { return ::mkdirat(AT_FDCWD, path.c_str(), 0700); }), EACCES);
}

TEST_F(ExtractSandbox, MakesNoLinksAndRemovesNothing) {
  EXPECT_EQ(Try([](int folder) { return ::symlinkat("/etc", folder, "link"); }), kKilled);
  EXPECT_EQ(Try([](int folder) { return ::unlinkat(folder, "x", 0); }), kKilled);
  EXPECT_EQ(Try([](int folder) { return ::renameat(folder, "x", folder, "y"); }), kKilled);
  EXPECT_EQ(Try([](int folder) { return ::mknodat(folder, "fifo", S_IFIFO | 0600, 0); }), kKilled);
}

TEST_F(ExtractSandbox, HasNoNetwork) {
  EXPECT_EQ(Try([](int) { return ::socket(AF_INET, SOCK_STREAM, 0); }), kKilled);
  EXPECT_EQ(Try([](int) { return ::socket(AF_UNIX, SOCK_STREAM, 0); }), kKilled);
}

TEST_F(ExtractSandbox, StartsNoProcess) {
  EXPECT_EQ(Try([](int) { return ::fork(); }), kKilled);
  EXPECT_EQ(Try([](int) { return ::execl("/bin/true", "true", nullptr); }), kKilled);
}

TEST_F(ExtractSandbox, StartsNoThreadAfterwards) {
  EXPECT_EQ(Try([](int) {
              std::thread([] {}).detach();
              return 0L;
            }),
            kKilled);
}

TEST_F(ExtractSandbox, ThreadsFromBeforeAreHeldToo) {
  EXPECT_EQ(TryInThread(
                [](int folder) { return Open(folder, "by-thread", O_WRONLY | O_CREAT | O_EXCL); }),
            0);
  EXPECT_EQ(TryInThread([](int) { return ::socket(AF_UNIX, SOCK_STREAM, 0); }), kKilled);
  EXPECT_EQ(TryInThread([](int) { return ::fork(); }), kKilled);
  EXPECT_EQ(TryInThread([](int) { return Open(AT_FDCWD, "/etc/passwd", O_RDONLY); }), EACCES);
  EXPECT_EQ(TryInThread([](int) { return ::prctl(PR_CAPBSET_READ, 0); }), kKilled);
}

TEST_F(ExtractSandbox, TouchesNoOtherProcess) {
  EXPECT_EQ(Try([](int) { return ::ptrace(PTRACE_ATTACH, ::getppid(), nullptr, nullptr); }),
            kKilled);
  EXPECT_EQ(Try([](int) { return ::kill(1, 0); }), kKilled);
}

TEST_F(ExtractSandbox, MakesNoMemoryExecutable) {
  EXPECT_EQ(Try([](int) {
              void* const code =
                  ::mmap(nullptr, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
              return code == MAP_FAILED ? -1L : 0L;
            }),
            kKilled);
}

TEST_F(ExtractSandbox, GetsNothingBack) {
  EXPECT_EQ(Try([](int) { return ::setuid(0); }), kKilled);
  const rlimit more{.rlim_cur = 1 << 20, .rlim_max = 1 << 20};
  EXPECT_EQ(Try([&](int) { return ::setrlimit(RLIMIT_NOFILE, &more); }), kKilled);
}

// SIGXFSZ, from RLIMIT_FSIZE.
TEST_F(ExtractSandbox, AFileBeyondTheLimitEndsIt) {
  EXPECT_EQ(Try([](int folder) {
              const auto fd = static_cast<int>(Open(folder, "big", O_WRONLY | O_CREAT | O_EXCL));
              const std::string bytes(2000, 'x');
              long written = 0;
              while (written >= 0) written = ::write(fd, bytes.data(), bytes.size());
              return written;
            }),
            1000 + SIGXFSZ);
}

TEST_F(ExtractSandbox, MemoryBeyondTheLimitIsNotGiven) {
  EXPECT_EQ(Try([](int) {
              void* const memory = ::mmap(nullptr, std::size_t{64} << 20U, PROT_READ | PROT_WRITE,
                                          MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
              return memory == MAP_FAILED ? -1L : 0L;
            }),
            ENOMEM);
}

// It would not count against the limit.
TEST_F(ExtractSandbox, SharedMemoryIsDeadly) {
  EXPECT_EQ(Try([](int) {
              void* const memory = ::mmap(nullptr, std::size_t{64} << 20U, PROT_READ | PROT_WRITE,
                                          MAP_SHARED | MAP_ANONYMOUS, -1, 0);
              return memory == MAP_FAILED ? -1L : 0L;
            }),
            kKilled);
}

// Nor would what grows like a stack.
TEST_F(ExtractSandbox, MemoryThatGrowsDownIsDeadly) {
  EXPECT_EQ(Try([](int) {
              void* const memory = ::mmap(nullptr, std::size_t{64} << 20U, PROT_READ | PROT_WRITE,
                                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN, -1, 0);
              return memory == MAP_FAILED ? -1L : 0L;
            }),
            kKilled);
}

}  // namespace
}  // namespace tidewaiter::testing
