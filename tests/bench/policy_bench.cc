// The decision alone: Evaluate with 1, 100 and 10,000 allowlist entries, and its memory over ten
// million decisions. No I/O: host paths are answered from memory.
//
// The memory takes a minute, so it runs only where its name is given:
//   policy_bench --benchmark_filter=Memory
// With any other filter, or none, it is not registered.
#include <benchmark/benchmark.h>

#include <array>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <string>
#include <string_view>

#include "policy/evaluate.h"
#include "policy/policy_set.h"

namespace tidewaiter::policy {
namespace {

class TrustEverything final : public HostPaths {
 public:
  [[nodiscard]] Result<void> CheckTrusted(const std::string&) const override { return Ok(); }
};

constexpr std::string_view kTeams = "ghcr.io/platformnetwork/team";

std::string DigestOf(int entry) {
  std::string hex = std::to_string(entry);
  return "sha256:" + std::string(64 - hex.size(), 'a') + hex;
}

// [[images.allow]] `count` times, each with what `keys` gives for its number.
std::shared_ptr<const PolicySet> PolicyWith(int count, std::string (*keys)(int)) {
  std::string toml = R"(version = 1
mode = "production"
[mounts]
allow = ["/srv/data"]
[capabilities]
allow = ["NET_BIND_SERVICE"]
[[principal]]
name = "bench"
uid = 1000
roles = ["run"]
policy = "default"
)";
  for (int i = 0; i < count; ++i) {
    toml += "[[images.allow]]\n" + keys(i);
  }
  auto set = PolicySet::Parse(toml, "bench.toml");
  if (!set.has_value()) std::abort();
  return *std::move(set);
}

std::shared_ptr<const PolicySet> PolicyWithEntries(int count) {
  return PolicyWith(count, [](int i) {
    return "repository = \"" + std::string(kTeams) + std::to_string(i) +
           "/*\"\nversions = \">=1.2.0 <2.0.0\"\n";
  });
}

RunSpec TypicalSpec(int entry) {
  RunSpec spec;
  spec.image = "ghcr.io/platformnetwork/team" + std::to_string(entry) +
               "/task:1.4.2@sha256:" + std::string(64, 'a');
  spec.command = {"python3", "/work/grade.py", "--seed", "7"};
  spec.env = {{"LANG", "C.UTF-8"}, {"SEED", "7"}, {"TASK", "grade"}};
  spec.limits.memory_bytes = std::int64_t{1} << 30;
  spec.limits.cpu_millis = 2000;
  spec.limits.timeout_millis = 60000;
  spec.add_capabilities = {"NET_BIND_SERVICE"};
  spec.mounts.push_back(
      {.target = "/work", .read_only = true, .source = BindMount{"/srv/data/task"}});
  spec.labels = {{"team", "evaluation"}};
  return spec;
}

void BM_DecisionAdmitted(benchmark::State& state) {
  const int entries = static_cast<int>(state.range(0));
  const auto set = PolicyWithEntries(entries);
  const RunSpec spec = TypicalSpec(entries - 1);
  const TrustEverything host;
  if (Evaluate(*set->Find("default"), spec, host).admitted() == nullptr) std::abort();
  for (auto _ : state) benchmark::DoNotOptimize(Evaluate(*set->Find("default"), spec, host));
}
BENCHMARK(BM_DecisionAdmitted)->Arg(1)->Arg(100)->Arg(10000);

// One repository in all entries, and the image that the last of them admits.
void DecideOneRepository(benchmark::State& state, int entries, std::string (*keys)(int),
                         const std::string& tag_and_digest) {
  const auto set = PolicyWith(entries, keys);
  RunSpec spec = TypicalSpec(0);
  spec.image = std::string(kTeams) + "/task" + tag_and_digest;
  const TrustEverything host;
  if (Evaluate(*set->Find("default"), spec, host).admitted() == nullptr) std::abort();
  for (auto _ : state) benchmark::DoNotOptimize(Evaluate(*set->Find("default"), spec, host));
}

std::string OneRepository() {
  return "repository = \"" + std::string(kTeams) + "/task\"\n";
}

void BM_DecisionOneRepositoryVersions(benchmark::State& state) {
  DecideOneRepository(
      state, 10'000,
      [](int i) { return OneRepository() + "versions = \"=1.0." + std::to_string(i) + "\"\n"; },
      ":1.0.9999@" + DigestOf(0));
}
BENCHMARK(BM_DecisionOneRepositoryVersions);

// As many as a file's 1 MiB holds.
void BM_DecisionOneRepositoryDigests(benchmark::State& state) {
  DecideOneRepository(
      state, 6'800, [](int i) { return OneRepository() + "digests = [\"" + DigestOf(i) + "\"]\n"; },
      ":1.4.2@" + DigestOf(6799));
}
BENCHMARK(BM_DecisionOneRepositoryDigests);

// What no index helps: each of 10,000 ranges is tried.
void BM_DecisionOneRepositoryRanges(benchmark::State& state) {
  DecideOneRepository(
      state, 10'000,
      [](int i) {
        return OneRepository() + "versions = \">=1.0." + std::to_string(i) + " <1.0." +
               std::to_string(i + 2) + "\"\n";
      },
      ":1.0.9999@" + DigestOf(0));
}
BENCHMARK(BM_DecisionOneRepositoryRanges);

void BM_DecisionDenied(benchmark::State& state) {
  const auto set = PolicyWithEntries(100);
  RunSpec spec = TypicalSpec(7);
  spec.image = "docker.io/library/busybox:latest";
  spec.user = "root";
  spec.limits.memory_bytes = 0;
  const TrustEverything host;
  if (Evaluate(*set->Find("default"), spec, host).violations().size() < 4) std::abort();
  for (auto _ : state) benchmark::DoNotOptimize(Evaluate(*set->Find("default"), spec, host));
}
BENCHMARK(BM_DecisionDenied);

double ResidentKiB() {
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;) {
    if (word != "VmRSS:") continue;
    double kib = 0;
    status >> kib;
    return kib;
  }
  std::abort();
}

// One iteration is all ten million decisions, half of them admitted and half denied in three ways.
void BM_MemoryOfTenMillionDecisions(benchmark::State& state) {
  constexpr int kDecisions = 10'000'000;
  constexpr int kWarm = 100'000;
  const auto set = PolicyWithEntries(100);
  const Policy& policy = *set->Find("default");
  const TrustEverything host;
  std::array<RunSpec, 6> specs;
  specs.fill(TypicalSpec(7));
  specs[1].image = "docker.io/library/busybox:latest";
  specs[3].image = std::string(3000, '/');
  specs[5].user = "root";
  specs[5].mounts.assign(2, {.target = "/work", .source = BindMount{"/var/run/docker.sock"}});
  for (auto _ : state) {
    std::array<int, 2> answers{};
    for (int i = 0; i < kDecisions; ++i) {
      if (i == kWarm) state.counters["rss_kib_after_100k"] = ResidentKiB();
      const Decision decision =
          Evaluate(policy, specs[static_cast<std::size_t>(i) % specs.size()], host);
      ++answers[decision.admitted() != nullptr ? 1 : 0];
    }
    state.counters["rss_kib_after_10m"] = ResidentKiB();
    state.counters["admitted"] = answers[1];
    state.counters["denied"] = answers[0];
  }
}

}  // namespace
}  // namespace tidewaiter::policy

int main(int argc, char** argv) {
  for (int i = 1; i < argc; ++i) {
    if (std::string_view(argv[i]) != "--benchmark_filter=Memory") continue;
    benchmark::RegisterBenchmark("Memory", tidewaiter::policy::BM_MemoryOfTenMillionDecisions)
        ->Iterations(1)
        ->Unit(benchmark::kSecond);
  }
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;
}
