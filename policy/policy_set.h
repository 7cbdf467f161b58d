// A loaded policy file: its named policies and its principals, immutable once loaded and shared by
// pointer.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "policy/policy.h"
#include "policy/principal.h"

namespace tidewaiter::policy {

class PolicySet {
 public:
  // Parses and checks the whole file (format: docs/POLICY.md). `file_name` is used in messages
  // only. The error's message has one `file:line:column: what: what would be right` per line, all
  // found in one pass.
  static Result<std::shared_ptr<const PolicySet>> Parse(std::string_view toml,
                                                        const std::string& file_name);

  // Of the named policies of a file, `default` apart.
  static constexpr std::size_t kMaxNamed = 256;

  // The policy of that name, or null. "default" always exists.
  [[nodiscard]] const Policy* Find(std::string_view name) const noexcept;
  // The principal of that kernel uid, or null: an unknown caller.
  [[nodiscard]] const Principal* FindPrincipal(uid_t uid) const noexcept;
  [[nodiscard]] const Principal* FindPrincipal(std::string_view name) const noexcept;
  [[nodiscard]] const std::vector<Principal>& principals() const noexcept { return principals_; }

  [[nodiscard]] bool development() const noexcept { return development_; }
  // "sha256:HEX" of the file's bytes.
  [[nodiscard]] const std::string& hash() const noexcept { return hash_; }

 private:
  friend class PolicyFileReader;
  PolicySet() = default;

  std::map<std::string, Policy, std::less<>> policies_;
  std::vector<Principal> principals_;
  std::map<uid_t, std::size_t> of_uid_;  // places in principals_
  std::map<std::string, std::size_t, std::less<>> of_name_;
  bool development_ = false;
  std::string hash_;
};

}  // namespace tidewaiter::policy
