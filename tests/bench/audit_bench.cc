// What the log's durability, its tree and its signatures cost.
// Usage: audit_bench admissions [SECONDS [ROUNDS]]   decisions of a broker for 64 clients, with the
//                                                    log on the disk of the scratch folder and in a
//                                                    tmpfs, in turn. The engine is the stand-in.
//                                                    Needs root.
//        audit_bench records [COUNT]                 CPU of one record, from its fields to the disk
//        audit_bench log [MIB]                       a log of so much in one segment: how fast it
//        is
//                                                    verified, and a start after a kill
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "audit/log.h"
#include "audit/verifier.h"
#include "tests/bench/measure.h"
#include "tests/support/audit_store.h"
#include "tests/support/broker_process.h"
#include "tests/support/gate_client.h"
#include "tests/support/scratch_folder.h"
#include "tests/support/stand_in_engine.h"

namespace tidewaiter::bench {
namespace {

using Clock = std::chrono::steady_clock;

double SecondsSince(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

double CpuSeconds() {
  struct rusage usage {};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

// A line of proc(5)'s status: VmRSS, what is in memory now; VmHWM, the most since ResetPeak.
long MemoryKiB(const std::string& which) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with(which + ":")) return std::atol(line.c_str() + which.size() + 1);
  }
  return 0;
}

void ResetPeak() {
  std::ofstream("/proc/self/clear_refs") << "5";
}

// As those of runs are.
audit::Record Typical() {
  audit::Record record;
  record.type = audit::RecordType::kRunAdmitted;
  record.run_id = "nbswy3dpo5xxe3dehbswy3dpo4";
  record.caller.emplace().principal = "validator";
  record.requested_image = record.image =
      "ghcr.io/platformnetwork/judge:1.4.0@sha256:" + std::string(64, 'b');
  record.policy = "default";
  record.policy_hash = "sha256:" + std::string(64, '2');
  record.limits.emplace();
  record.effective.emplace().mounts.emplace_back();
  record.tenant.emplace().job = "42";
  return record;
}

std::unique_ptr<audit::Log> OpenLog(const std::string& folder, std::uint64_t segment_bytes) {
  audit::LogSettings settings;
  settings.directory = folder;
  settings.broker_id = "mfrggzdfmztwq2lknnwg23tpoa";
  settings.store = testing::AuditStore();
  settings.store.segment_bytes = segment_bytes;
  settings.store.reserve_bytes = audit::StoreSettings().reserve_bytes;
  auto log = audit::Log::Open(std::move(settings));
  if (!log) {
    std::fprintf(stderr, "%s\n", log.error().message.c_str());
    std::exit(1);
  }
  return *std::move(log);
}

// Appends so many records, never more than fit.
void Fill(audit::Log& log, std::uint64_t count) {
  const audit::Record record = Typical();
  for (std::uint64_t i = 0; i < count; ++i) {
    log.AppendEventually(record);
    if (i % 8192 == 8191 && !log.Drain(Deadline::Never())) std::exit(1);
  }
  if (!log.Drain(Deadline::Never())) std::exit(1);
}

int Records(std::uint64_t count) {
  testing::ScratchFolder folder;
  const auto log = OpenLog(folder / "log", std::uint64_t{64} << 20U);
  const double before = CpuSeconds();
  Fill(*log, count);
  std::printf("one record: %.2f us of CPU (%llu records, checkpoints and rotation included)\n",
              (CpuSeconds() - before) * 1e6 / static_cast<double>(count),
              static_cast<unsigned long long>(count));
  return 0;
}

int BigLog(std::uint64_t mebibytes) {
  testing::ScratchFolder folder;
  const std::string path = folder / "log";
  {
    const auto log = OpenLog(path, std::uint64_t{1} << 50U);
    std::uint64_t bytes = 0;
    while (bytes < mebibytes << 20U) {
      Fill(*log, 65'536);
      bytes = log->End().size;
    }
  }
  const auto size = std::filesystem::file_size(path + "/" + testing::FirstSegment());
  const double megabytes = static_cast<double>(size) / 1e6;
  std::vector<double> verify;
  std::vector<double> start;
  long peak = 0;
  for (int round = 0; round < 5; ++round) {
    ResetPeak();
    const long resident = MemoryKiB("VmRSS");
    const double cpu = CpuSeconds();
    const auto verdict =
        audit::VerifyLog(UniqueFd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)),
                         {.key = testing::AuditKey()->verifier()});
    if (!verdict || !verdict->Holds()) return 1;
    verify.push_back(megabytes / (CpuSeconds() - cpu));
    peak = std::max(peak, MemoryKiB("VmHWM") - resident);
    // As a kill leaves it.
    std::ofstream(path + "/" + testing::FirstSegment(), std::ios::app) << "{\"boot_id\":\"";
    const auto begin = Clock::now();
    const auto log = OpenLog(path, std::uint64_t{1} << 50U);
    start.push_back(SecondsSince(begin) * 1e3);
  }
  std::printf("%.0f MB in one segment; verifying it took at most %ld KiB of memory more\n",
              megabytes, peak);
  PrintRow("verify, of CPU time", verify, "MB/s");
  PrintRow("open after a kill", start, "ms");
  return 0;
}

// A tmpfs of its own: /dev/shm is everybody's, and no place for a log. Needs root.
class MemoryFolder {
 public:
  MemoryFolder() {
    if (::mount("tmpfs", path_.c_str(), "tmpfs", 0, "size=1g,mode=0700") == 0) return;
    std::perror("mount a tmpfs");
    std::exit(1);
  }
  MemoryFolder(const MemoryFolder&) = delete;
  MemoryFolder& operator=(const MemoryFolder&) = delete;
  ~MemoryFolder() { ::umount2(path_.c_str(), MNT_DETACH); }
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  testing::ScratchFolder folder_;
  const std::string path_ = folder_.path();
};

v1::RunSpec Denied() {
  v1::RunSpec spec;
  spec.set_image(std::string("evil.example/lab/toolbox:1.0.0@") + testing::StandInEngine::kDigest);
  return spec;
}

v1::RunSpec Admitted() {
  v1::RunSpec spec;
  spec.set_image(std::string("127.0.0.1:5000/lab/toolbox:1.0.0@") +
                 testing::StandInEngine::kDigest);
  spec.add_command("exit");
  spec.add_command("0");
  return spec;
}

// Decisions a second.
double Decide(const std::string& audit_dir, const v1::RunSpec& spec, double seconds) {
  constexpr int kClients = 64;
  testing::ScratchFolder folder;
  testing::StandInEngine engine(folder / "engine.sock");
  testing::BrokerProcess broker({.docker_socket = folder / "engine.sock",
                                 .policy = testing::BrokerProcess::StandInPolicy(),
                                 .audit_dir = audit_dir});
  std::atomic<bool> begun{false};
  std::atomic<bool> ended{false};
  std::atomic<long> decided{0};
  {
    std::vector<std::jthread> clients;
    for (int i = 0; i < kClients; ++i) {
      clients.emplace_back([&] {
        testing::GateClient client(broker.socket_path());
        while (!ended) {
          const testing::Transcript said = client.Run(spec);
          if (!said.Has(v1::RunEvent::kDenied) && !said.Has(v1::RunEvent::kReceipt)) continue;
          if (begun) ++decided;
        }
      });
    }
    std::this_thread::sleep_for(std::chrono::seconds(1));
    begun = true;
    std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
    ended = true;
  }
  return static_cast<double>(decided) / seconds;
}

int Admissions(double seconds, int rounds) {
  for (const bool admitted : {false, true}) {
    std::vector<double> disk;
    std::vector<double> memory;
    std::vector<double> ratios;
    for (int round = 0; round < rounds; ++round) {
      const v1::RunSpec spec = admitted ? Admitted() : Denied();
      disk.push_back(Decide({}, spec, seconds));
      const MemoryFolder folder;
      memory.push_back(Decide(folder.path() + "/audit", spec, seconds));
      ratios.push_back(disk.back() / memory.back());
    }
    const std::string what = admitted ? "whole runs" : "denials";
    PrintRow(what + ", log on disk", disk, "/s");
    PrintRow(what + ", log in memory", memory, "/s");
    PrintRow(what + ", ratio of pairs", ratios, "");
  }
  return 0;
}

}  // namespace
}  // namespace tidewaiter::bench

int main(int argc, char** argv) {
  using namespace tidewaiter::bench;
  const std::string what = argc > 1 ? argv[1] : "";
  const auto number = [&](int at, int otherwise) {
    return argc > at ? std::atoi(argv[at]) : otherwise;
  };
  if (what == "admissions") return Admissions(number(2, 5), number(3, 7));
  if (what == "records") return Records(static_cast<std::uint64_t>(number(2, 500'000)));
  if (what == "log") return BigLog(static_cast<std::uint64_t>(number(2, 1024)));
  std::fprintf(stderr, "usage: audit_bench admissions|records|log\n");
  return 2;
}
