// The decision alone: Evaluate with 1, 100 and 10,000 allowlist entries. No I/O: host paths are
// answered from memory.
#include <benchmark/benchmark.h>

#include <cstdlib>
#include <memory>
#include <string>

#include "policy/evaluate.h"
#include "policy/policy_set.h"

namespace tidewaiter::policy {
namespace {

class TrustEverything final : public HostPaths {
 public:
  [[nodiscard]] Result<void> CheckTrusted(const std::string&) const override { return Ok(); }
};

std::shared_ptr<const PolicySet> PolicyWithEntries(int count) {
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
    toml += "[[images.allow]]\nrepository = \"ghcr.io/platformnetwork/team" + std::to_string(i) +
            "/*\"\nversions = \">=1.2.0 <2.0.0\"\n";
  }
  auto set = PolicySet::Parse(toml, "bench.toml");
  if (!set.has_value()) std::abort();
  return *std::move(set);
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

}  // namespace
}  // namespace tidewaiter::policy

BENCHMARK_MAIN();
