// What the policy's tests share: a host that says yes to listed paths, policies from text, a run
// that is admitted.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "policy/evaluate.h"
#include "policy/host_paths.h"
#include "policy/policy_set.h"

namespace tidewaiter::policy {

inline const std::string kHex64(64, 'a');
inline const std::string kDigest = "sha256:" + kHex64;
inline const std::string kOtherDigest = "sha256:" + std::string(64, 'b');
inline const std::string kImage = "ghcr.io/team/job:1.2.3@" + kDigest;

// Trusts the paths that it was given, and remembers what it was asked.
class FakeHostPaths final : public HostPaths {
 public:
  explicit FakeHostPaths(std::set<std::string> trusted = {}) : trusted_(std::move(trusted)) {}

  [[nodiscard]] Result<void> CheckTrusted(const std::string& path) const override {
    asked_.push_back(path);
    if (trusted_.contains(path)) return Ok();
    return Fail(ErrorCode::kPermissionDenied, "trust '" + path + "': not in the test's list");
  }
  [[nodiscard]] const std::vector<std::string>& asked() const { return asked_; }

 private:
  std::set<std::string> trusted_;
  mutable std::vector<std::string> asked_;
};

inline std::shared_ptr<const PolicySet> LoadSet(std::string_view toml) {
  auto set = PolicySet::Parse(toml, "policy.toml");
  EXPECT_TRUE(set.has_value()) << (set ? "" : set.error().message);
  return set ? *set : nullptr;
}

// The error text of a file that must not load.
inline std::string LoadError(std::string_view toml) {
  auto set = PolicySet::Parse(toml, "policy.toml");
  EXPECT_FALSE(set.has_value()) << "loaded: " << toml;
  return set ? std::string() : set.error().message;
}

// Production, ghcr.io/team/* admitted, whatever `more` adds.
inline std::string Toml(std::string_view more = {}) {
  return "version = 1\n[[images.allow]]\nrepository = \"ghcr.io/team/*\"\n" + std::string(more);
}

inline RunSpec AdmittedSpec() {
  RunSpec spec;
  spec.image = kImage;
  return spec;
}

// "rule field" of each violation, in order; empty where the run is admitted.
inline std::vector<std::string> Broken(const Decision& decision) {
  std::vector<std::string> broken;
  for (const Violation& violation : decision.violations()) {
    broken.push_back(violation.rule + " " + violation.field);
  }
  return broken;
}

inline std::vector<std::string> Ask(std::string_view toml, const RunSpec& spec,
                                    const HostPaths& host = FakeHostPaths()) {
  const auto set = LoadSet(toml);
  if (set == nullptr) return {"no policy"};
  return Broken(Evaluate(*set->Find("default"), spec, host));
}

// The effective run under `toml`; fails the test where it is denied.
inline EffectiveRun Effective(std::string_view toml, const RunSpec& spec,
                              const HostPaths& host = FakeHostPaths()) {
  const auto set = LoadSet(toml);
  if (set == nullptr) return {};
  const Decision decision = Evaluate(*set->Find("default"), spec, host);
  EXPECT_EQ(Broken(decision), std::vector<std::string>());
  return decision.admitted() != nullptr ? decision.admitted()->effective() : EffectiveRun();
}

}  // namespace tidewaiter::policy
