// Any bytes as a policy file. Whatever loads must decide without harm, admit its own effective run
// unchanged, and have no child that admits what its parent denies. What does not load has problems
// in the form of one, and no duplicate ends the reading.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <sstream>
#include <string>

#include "policy/evaluate.h"
#include "policy/host_paths.h"
#include "policy/policy_set.h"

namespace {

class TrustingHost final : public tidewaiter::policy::HostPaths {
 public:
  [[nodiscard]] tidewaiter::Result<void> CheckTrusted(const std::string&) const override {
    return tidewaiter::Ok();
  }
};

// Each line is one problem with its place, and none of them is a duplicate at which toml++ stopped:
// FindTomlDuplicates would have missed it.
void CheckProblems(const std::string& problems) {
  std::istringstream lines(problems);
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with("fuzz.toml:")) std::abort();
    const std::string what = line.substr(std::min(line.find(": "), line.size()));
    if (what.starts_with(": not TOML: key-value pair: cannot redefine")) std::abort();
    if (what.starts_with(": not TOML: table header: cannot")) std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tidewaiter::policy;
  const auto set = PolicySet::Parse(std::string(data, data + size), "fuzz.toml");
  if (!set) {
    CheckProblems(set.error().message);
    return 0;
  }
  RunSpec spec;
  spec.image = "ghcr.io/team/job:1.2.3@sha256:" + std::string(64, 'a');
  spec.mounts = {{"/data", true, BindMount{"/srv/data"}}};
  const TrustingHost host;
  const Policy* const parent = (*set)->Find("default");
  if (parent == nullptr) std::abort();
  for (const bool with_mount : {true, false}) {
    if (!with_mount) spec.mounts.clear();
    const Decision decision = Evaluate(*parent, spec, host);
    if (const AdmittedRun* admitted = decision.admitted()) {
      const Decision again = Evaluate(*parent, admitted->effective().ToSpec(), host);
      if (again.admitted() == nullptr || again.admitted()->effective() != admitted->effective()) {
        std::abort();
      }
    }
    for (const char* name : {"x", "child", "untrusted"}) {
      const Policy* const child = (*set)->Find(name);
      if (child == nullptr) continue;
      if (Evaluate(*child, spec, host).admitted() != nullptr && decision.admitted() == nullptr) {
        std::abort();
      }
    }
  }
  return 0;
}
