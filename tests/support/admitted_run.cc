#include "tests/support/admitted_run.h"

#include <cstdio>
#include <cstdlib>

#include "policy/evaluate.h"
#include "policy/host_paths.h"
#include "policy/policy_set.h"

namespace tidewaiter::testing {
namespace {

class TrustingHost final : public policy::HostPaths {
 public:
  [[nodiscard]] Result<void> CheckTrusted(const std::string&) const override { return Ok(); }
};

[[noreturn]] void GiveUp(const std::string& why) {
  std::fprintf(stderr, "admit a run for a test: %s\n", why.c_str());
  std::abort();
}

}  // namespace

std::string PermissivePolicy(std::string_view repository, bool verify_tag) {
  return "version = 1\nmode = \"development\"\n"
         "[images]\ntag = \"any\"\ndigest = \"optional\"\nverify_tag = " +
         std::string(verify_tag ? "true" : "false") + "\n[[images.allow]]\nrepository = \"" +
         std::string(repository) +
         "\"\n[mounts]\nallow = [\"/srv\", \"/usr/share\"]\nwritable = true\n"
         "[network]\nmodes = [\"none\", \"isolated\", \"bridge\"]\n"
         "[capabilities]\nallow = [\"CHOWN\", \"NET_BIND_SERVICE\"]\n"
         "[user]\nallow_root = true\n"
         "[rootfs]\nallow_writable = true\n"
         "[runtimes]\nallow = [\"runc\", \"runsc\", \"nosuch\"]\n"
         "[seccomp]\nallow = [\"strict\", \"nosuch\"]\n";
}

policy::AdmittedRun Admit(std::string_view policy_toml, const policy::RunSpec& spec) {
  const auto set = policy::PolicySet::Parse(policy_toml, "policy.toml");
  if (!set) GiveUp(set.error().message);
  const policy::Decision decision =
      policy::Evaluate(*(*set)->Find("default"), spec, TrustingHost());
  if (decision.admitted() == nullptr) {
    std::string why;
    for (const policy::Violation& violation : decision.violations()) {
      why += violation.rule + " " + violation.field + ": " + violation.message + "; ";
    }
    GiveUp(why);
  }
  return *decision.admitted();
}

}  // namespace tidewaiter::testing
