// Any bytes as a spec file, decided: what `policy check` does with it under a policy that allows
// much. A run is admitted again unchanged after every trip over the wire, and what is said of a
// denied one fits on a terminal.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>

#include "base/printable.h"
#include "policy/evaluate.h"
#include "policy/host_paths.h"
#include "policy/policy_set.h"
#include "wire/answers.h"
#include "wire/run_spec.h"
#include "wire/spec_json.h"

namespace {

using namespace tidewaiter;

// But for the keys of [images].
constexpr char kPolicy[] = R"(
[[images.allow]]
repository = "ghcr.io/team/**"
versions = ">=1.2.0-rc.0 <3.0.0 || 0.x"
[[images.allow]]
repository = "docker.io/*/*"
[limits.memory]
default = "64MiB"
max = "64TiB"
[limits.cpus]
default = "0.5"
max = 4096
[limits.tmpfs]
default = "4KiB"
max = "1GiB"
[mounts]
allow = ["/srv", "/data/in"]
writable = true
[network]
modes = ["none", "isolated", "bridge"]
[capabilities]
allow = ["CHOWN", "NET_BIND_SERVICE", "SYS_PTRACE"]
[user]
allow_root = true
[rootfs]
allow_writable = true
[runtimes]
allow = ["runsc", "kata"]
[seccomp]
allow = ["strict"]
)";

std::shared_ptr<const policy::PolicySet> Load(const std::string& images) {
  const auto set = policy::PolicySet::Parse(
      "version = 1\nmode = \"development\"\n[images]\n" + images + kPolicy, "fuzz.toml");
  if (!set) std::abort();
  return *set;
}

// Trusts what has an even number of bytes, so that both answers are met.
class HalfTrustingHost final : public policy::HostPaths {
 public:
  [[nodiscard]] Result<void> CheckTrusted(const std::string& path) const override {
    if (path.size() % 2 == 0) return Ok();
    return Fail(ErrorCode::kPermissionDenied, "trust " + Quoted(path) + ": odd");
  }
};

void CheckText(const std::string& text) {
  constexpr std::size_t kMaxText = 4096;
  if (text.size() > kMaxText || !IsUtf8(text) || HasControl(text)) std::abort();
}

void CheckViolations(const policy::Decision& decision) {
  if (decision.violations().empty()) std::abort();
  for (const policy::Violation& violation : decision.violations()) {
    if (violation.rule.empty() || violation.message.empty()) std::abort();
    CheckText(violation.rule);
    CheckText(violation.field);
    CheckText(violation.message);
    CheckText(violation.remedy);
    if (wire::FromProto(wire::ToProto(violation)) != violation) std::abort();
  }
}

void CheckAdmittedAgain(const policy::Policy& policy, const policy::AdmittedRun& admitted,
                        const policy::HostPaths& host) {
  const v1::RunSpec told = wire::ToProto(admitted.effective());
  const auto over_the_wire = wire::FromProto(told);
  if (!over_the_wire || *over_the_wire != admitted.effective().ToSpec()) std::abort();
  const policy::Decision again = policy::Evaluate(policy, *over_the_wire, host);
  if (again.admitted() == nullptr || again.admitted()->effective() != admitted.effective()) {
    std::abort();
  }
  const std::string text = wire::SpecToJson(told);
  if (text.size() > wire::kMaxSpecJsonBytes) return;  // escapes make a text longer
  const auto read = wire::ParseSpecJson(text);
  if (!read) std::abort();
  const auto as_text = wire::FromProto(*read);
  if (!as_text || *as_text != *over_the_wire) std::abort();
}

void Decide(const policy::Policy& policy, const v1::RunSpec& spec) {
  const auto asked = wire::FromProto(spec);
  if (!asked) return;
  const HalfTrustingHost host;
  const policy::Decision decision = policy::Evaluate(policy, *asked, host);
  if (const policy::AdmittedRun* admitted = decision.admitted()) {
    CheckAdmittedAgain(policy, *admitted, host);
  } else {
    CheckViolations(decision);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const auto kStrict = Load("tag = 'semver'\ndigest = 'required'");
  static const auto kLoose = Load("tag = 'any'\ndigest = 'optional'");
  const auto spec = wire::ParseSpecJson(std::string(data, data + size));
  if (!spec && !spec.error().rest) return 0;
  for (const auto& set : {kStrict, kLoose}) {
    Decide(*set->Find("default"), spec ? *spec : *spec.error().rest);
  }
  return 0;
}
