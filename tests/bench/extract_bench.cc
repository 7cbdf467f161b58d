// Archives: `tidewaiter extract` beside GNU tar, bsdtar and Python's tarfile with filter='data', in
// turn, on the same archives; how long the worker takes to start; what it takes of memory.
//   extract_bench [ROUNDS [FOLDER]]
// FOLDER (default /dev/shm) holds the archives and what comes out of them, which is removed at the
// end alone: a file system may be slow for a while where much was just removed.
#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>
#include <string>
#include <vector>

#include "base/unique_fd.h"
#include "extract/worker_process.h"
#include "tests/bench/measure.h"
#include "tests/support/tar_bytes.h"

namespace tidewaiter::bench {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

double MillisecondsSince(Clock::time_point begin) {
  return std::chrono::duration<double, std::milli>(Clock::now() - begin).count();
}

// Milliseconds, or below zero where the program fails or is not there.
double TimeOf(std::vector<std::string> words) {
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  const auto begin = Clock::now();
  pid_t child = -1;
  const int error = ::posix_spawnp(&child, argv[0], &actions, nullptr, argv.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  int status = -1;
  if (error != 0 || ::waitpid(child, &status, 0) < 0 || status != 0) return -1;
  return MillisecondsSince(begin);
}

std::string Random(std::mt19937_64& random, std::size_t size) {
  std::string bytes(size, '\0');
  for (char& c : bytes) c = "etaoin shrdlu\n(){};"[random() % 19];
  return bytes;
}

// 100 folders of 200 files of up to 4 KiB each.
void MakeSmallFiles(const std::string& path) {
  std::mt19937_64 random(7);
  std::ofstream out(path, std::ios::binary);
  for (int folder = 0; folder < 100; ++folder) {
    testing::TarBytes tar;
    tar.Folder(fmt::format("src/mod{:03}/", folder));
    for (int file = 0; file < 200; ++file) {
      tar.File(fmt::format("src/mod{:03}/file{:04}.c", folder, file),
               Random(random, random() % 4096));
    }
    out << tar.bytes();
  }
  out << testing::TarBytes().Ended();
}

// 1 GiB in four files.
void MakeBigFiles(const std::string& path) {
  constexpr std::size_t kSize = std::size_t{256} << 20U;
  std::mt19937_64 random(8);
  const std::string block = Random(random, std::size_t{1} << 20U);
  std::ofstream out(path, std::ios::binary);
  for (int file = 0; file < 4; ++file) {
    out << testing::TarBytes::Header({.name = fmt::format("big{}", file)}, kSize);
    for (std::size_t written = 0; written < kSize; written += block.size()) out << block;
  }
  out << testing::TarBytes().Ended();
}

class Comparison {
 public:
  Comparison(std::string folder, int rounds) : folder_(std::move(folder)), rounds_(rounds) {}

  void Run(const std::string& title, const std::string& archive) {
    std::string self = fs::read_symlink("/proc/self/exe").replace_filename("tidewaiter");
    const std::string python =
        "import sys,tarfile;tarfile.open(sys.argv[1]).extractall(sys.argv[2],filter='data')";
    const std::vector<std::string> names{"tidewaiter extract", "GNU tar", "bsdtar", "tarfile"};
    std::vector<std::vector<double>> samples(names.size());
    for (int round = 0; round < rounds_; ++round) {
      for (std::size_t who = 0; who < names.size(); ++who) {
        const std::string to = fmt::format("{}/out{}", folder_, count_++);
        fs::create_directory(to);
        const std::vector<std::vector<std::string>> commands{
            {self, "extract", "--max-bytes", "2g", archive, to},
            {"tar", "-xf", archive, "-C", to},
            {"bsdtar", "-xf", archive, "-C", to},
            {"python3", "-c", python, archive, to}};
        const double time = TimeOf(commands[who]);
        if (time > 0) samples[who].push_back(time);
        // What is large would fill the memory; to remove four files is cheap.
        if (fs::file_size(archive) > (std::size_t{1} << 30U)) fs::remove_all(to);
      }
    }
    std::printf("%s\n", title.c_str());
    for (std::size_t who = 0; who < names.size(); ++who) {
      PrintRow("  " + names[who], samples[who], "ms");
    }
    for (std::size_t who = 1; who < names.size(); ++who) {
      if (samples[who].empty() || samples[0].empty()) continue;
      std::vector<double> ratios;
      for (std::size_t i = 0; i < std::min(samples[0].size(), samples[who].size()); ++i) {
        ratios.push_back(samples[0][i] / samples[who][i]);
      }
      std::printf("  against %-18s ratio of medians %.2f, median of pairs %.2f\n",
                  names[who].c_str(), Median(samples[0]) / Median(samples[who]), Median(ratios));
    }
    std::fflush(stdout);
  }

 private:
  const std::string folder_;
  const int rounds_;
  int count_ = 0;
};

// From the decision to start it to its report on an archive of one file.
void MeasureStart(const std::string& folder) {
  const std::string archive = folder + "/one.tar";
  std::ofstream(archive, std::ios::binary) << testing::TarBytes().File("f").Ended();
  std::vector<double> samples;
  for (int i = 0; i < 200; ++i) {
    const std::string to = fmt::format("{}/start{}", folder, i);
    fs::create_directory(to);
    const UniqueFd from(::open(archive.c_str(), O_RDONLY | O_CLOEXEC));
    const UniqueFd into(::open(to.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    const auto begin = Clock::now();
    auto worker = extract::WorkerProcess::Start(extract::WorkerBesideThisProgram(), from.get(),
                                                into.get(), {});
    if (!worker || !worker->Wait()) std::abort();
    samples.push_back(MillisecondsSince(begin));
  }
  PrintRow("worker, one file in all", samples, "ms");
}

// This program is small, and a child counts what its parent had when it was started.
long PeakOfChildren() {
  rusage usage{};
  ::getrusage(RUSAGE_CHILDREN, &usage);
  return usage.ru_maxrss;
}

int Main(int argc, char** argv) {
  const int rounds = argc > 1 ? std::atoi(argv[1]) : 7;
  std::string folder = std::string(argc > 2 ? argv[2] : "/dev/shm") + "/extract_bench.XXXXXX";
  if (::mkdtemp(folder.data()) == nullptr) {
    std::perror(folder.c_str());
    return 2;
  }
  const std::string small = folder + "/small.tar";
  const std::string big = folder + "/big.tar";
  MakeSmallFiles(small);
  MeasureStart(folder);
  std::printf("%-28s %ld KiB\n", "most memory of a worker", PeakOfChildren());
  Comparison comparison(folder, rounds);
  comparison.Run("20,000 small files", small);
  if (TimeOf({"gzip", "-k", small}) > 0) {
    comparison.Run("20,000 small files, gzip", small + ".gz");
  }
  if (TimeOf({"zstd", "-q", "-k", small}) > 0) {
    comparison.Run("20,000 small files, zstd", small + ".zst");
  }
  MakeBigFiles(big);
  comparison.Run("1 GiB in four files", big);
  fs::remove_all(folder);
  return 0;
}

}  // namespace
}  // namespace tidewaiter::bench

int main(int argc, char** argv) {
  return tidewaiter::bench::Main(argc, argv);
}
