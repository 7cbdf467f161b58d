// Reads a whole policy file into a PolicySet: mode, the policy "default", the named policies, the
// principals. Internal to the library; PolicySet::Parse is the way in.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/toml_document.h"
#include "policy/policy_set.h"

namespace tidewaiter::policy {

class PolicyFileReader {
 public:
  PolicyFileReader(TomlDocument& document, std::string hash);

  // Errors: INVALID_ARGUMENT, reason INVALID_FILE, every problem of the file.
  Result<PolicySet> Read();

 private:
  void ReadMode();
  void ReadPolicies();
  void ReadWithParents(std::map<std::string, TomlTable>& waiting);
  void AddPolicy(const std::string& name, Rules rules);
  void ReadPrincipals();
  void ReadPrincipal(TomlTable& table);

  TomlDocument& document_;
  TomlTable root_;
  PolicySet set_;
  std::map<std::string, std::string> parents_;  // of each named policy
};

}  // namespace tidewaiter::policy
