// Somebody who may write in the folder that is being extracted to changes it meanwhile.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/openat2.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>
#include <string>

#include "base/remove_tree.h"
#include "base/unique_fd.h"
#include "extract/directory_sink.h"
#include "extract/extraction.h"
#include "extract/tar_reader.h"
#include "extract/worker_process.h"
#include "tests/support/extraction.h"
#include "tests/support/scratch_folder.h"
#include "tests/support/tar_bytes.h"

namespace tidewaiter::testing {
namespace {

// How often the attack did what it wanted, in memory that both processes see.
struct Score {
  std::atomic<unsigned> exchanged;
  std::atomic<unsigned> planted;
};

// The attacker's own names must not lead through the links that he has placed: it would be he who
// changes the outside.
UniqueFd OpenReal(int stage, const char* path) {
  open_how how{};
  how.flags = O_PATH | O_DIRECTORY | O_CLOEXEC;
  how.resolve = RESOLVE_NO_SYMLINKS;
  return UniqueFd(static_cast<int>(::syscall(SYS_openat2, stage, path, &how, sizeof(how))));
}

// For ever: waits for a new extraction, lets it go on for a while, then exchanges a folder of the
// archive for a link to the outside (and back), or plants links where files are about to be made.
[[noreturn]] void Race(const std::string& folder, const std::string& outside, Score& score) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  const std::string precious = outside + "/precious";
  std::minstd_rand random(static_cast<unsigned>(::getpid()));
  ino_t last = 0;
  while (true) {
    const UniqueFd stage(::open(folder.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    struct stat status {};
    if (!stage || ::fstat(stage.get(), &status) != 0) continue;
    if (status.st_ino == last && random() % 4096 != 0) continue;
    last = status.st_ino;
    // Until some file of the archive is there, or for that many looks.
    const std::string met = "a/c/f" + std::to_string(random() % 200 | 1U);
    for (auto looks = random() % 20000; looks > 0; --looks) {
      if (::faccessat(stage.get(), met.c_str(), F_OK, AT_SYMLINK_NOFOLLOW) == 0) break;
    }
    ::symlinkat(outside.c_str(), stage.get(), "link");
    constexpr std::array<std::array<const char*, 2>, 3> kFolders{
        {{".", "a"}, {"a", "b"}, {"a", "c"}}};
    const auto& way = kFolders[random() % kFolders.size()];
    if (random() % 2 == 0) {
      const UniqueFd parent = OpenReal(stage.get(), way[0]);
      const auto exchange = [&] {
        return ::renameat2(stage.get(), "link", parent.get(), way[1], RENAME_EXCHANGE) == 0;
      };
      for (auto times = random() % 20; times > 0 && exchange(); --times) ++score.exchanged;
    } else {
      const UniqueFd even = OpenReal(stage.get(), "a/b");
      const UniqueFd odd = OpenReal(stage.get(), "a/c");
      for (auto i = random() % 200; i < 200; i += 7) {
        const std::string target = i % 3 == 0 ? precious : outside + "/planted";
        const int into = i % 2 == 0 ? even.get() : odd.get();
        const std::string file = "f" + std::to_string(i);
        if (::symlinkat(target.c_str(), into, file.c_str()) == 0) ++score.planted;
      }
    }
  }
}

// By turns in the worker, and by the sink alone, which no sandbox holds then.
extract::Expected<extract::Summary> ExtractOnce(int archive, int stage, bool sandboxed) {
  if (!sandboxed) {
    extract::DirectorySink sink(stage);
    extract::TarReader reader(archive, {});
    return extract::Extract(reader, {}, sink);
  }
  auto worker =
      extract::WorkerProcess::Start(extract::WorkerBesideThisProgram(), archive, stage, {});
  if (!worker) return tl::unexpected(worker.error());
  return worker->Wait();
}

TEST(ArchiveRace, NothingOutsideIsTouchedWhoeverRenamesMeanwhile) {
  const Extraction scene;
  // So that what is meant for a folder in "a" has a place where "a" is a link to the outside.
  std::filesystem::create_directory(scene.outside() + "/b");
  std::filesystem::create_directory(scene.outside() + "/c");
  const auto outside = TreeOf(scene.outside());
  const ScratchFolder scratch;
  TarBytes tar;
  // By turns in two folders, so that each is opened anew for each file.
  for (int i = 0; i < 200; ++i) {
    tar.File((i % 2 == 0 ? "a/b/f" : "a/c/f") + std::to_string(i), std::string(2000, 'x'));
  }
  std::ofstream(scratch / "archive", std::ios::binary) << tar.Ended();
  const UniqueFd parent(::open(scratch.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));

  auto* const score = static_cast<Score*>(
      ::mmap(nullptr, sizeof(Score), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  const pid_t attacker = ::fork();
  if (attacker == 0) Race(scratch / "stage", scene.outside(), *score);
  const char* const asked = std::getenv("TIDEWAITER_RACE_SECONDS");
  const std::chrono::seconds duration(asked != nullptr ? std::atoi(asked) : 3);
  const auto until = std::chrono::steady_clock::now() + duration;
  unsigned accepted = 0;
  unsigned refused = 0;
  while (std::chrono::steady_clock::now() < until && !HasFailure()) {
    if (::mkdirat(parent.get(), "stage", 0700) == 0) {
      const UniqueFd stage(::openat(parent.get(), "stage", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
      const UniqueFd archive(::openat(parent.get(), "archive", O_RDONLY | O_CLOEXEC));
      const auto end = ExtractOnce(archive.get(), stage.get(), (accepted + refused) % 2 == 0);
      if (end) {
        ++accepted;
      } else {
        ++refused;
        EXPECT_EQ(end.error().code, extract::Code::kWrite) << end.error().message;
      }
    }
    // It may fail while somebody puts things there; the next turn tries again.
    static_cast<void>(RemoveTree(parent.get(), "stage"));
    EXPECT_EQ(TreeOf(scene.outside()), outside);
  }
  ::kill(attacker, SIGKILL);
  ::waitpid(attacker, nullptr, 0);
  EXPECT_TRUE(RemoveTree(parent.get(), "stage"));
  EXPECT_EQ(TreeOf(scene.outside()), outside);
  EXPECT_GT(score->exchanged, 0U);
  EXPECT_GT(score->planted, 0U);
  EXPECT_GT(refused, 0U) << "the attack never met an extraction";
  std::printf("%u exchanges, %u links; %u extractions accepted, %u refused\n",
              score->exchanged.load(), score->planted.load(), accepted, refused);
  ::munmap(score, sizeof(Score));
}

}  // namespace
}  // namespace tidewaiter::testing
