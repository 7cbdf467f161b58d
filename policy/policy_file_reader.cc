#include "policy/policy_file_reader.h"

#include <fmt/format.h>

#include <limits>
#include <optional>
#include <utility>

#include "base/printable.h"
#include "policy/plain_name.h"
#include "policy/rules_reader.h"

namespace tidewaiter::policy {
namespace {

constexpr std::string_view kDefault = "default";
constexpr std::string_view kNameRight =
    "1 to 64 letters, digits, '.', '_' and '-', the first a letter or digit";
// (uid_t)-1 means "no change" to setuid(2) and friends.
constexpr std::int64_t kMaxUid = std::numeric_limits<std::uint32_t>::max() - std::int64_t{1};

Roles ReadRoles(TomlTable& table) {
  Roles roles;
  if (!table.Has("roles")) {
    table.Problem("roles", fmt::format("'{}.roles' is missing: at least one of run, operate, audit",
                                       table.path()));
  }
  const auto read = table.Strings("roles");
  if (!read) return roles;
  if (read->empty()) {
    table.Problem("roles",
                  KeyProblem(table, "roles", "empty: at least one of run, operate, audit"));
  }
  for (std::size_t i = 0; i < read->size(); ++i) {
    const std::string& role = (*read)[i];
    if (role == "run") {
      roles.run = true;
    } else if (role == "operate") {
      roles.operate = true;
    } else if (role == "audit") {
      roles.audit = true;
    } else {
      table.ElementProblem("roles", i,
                           fmt::format("'{}.roles[{}]' is {}: one of run, operate, audit",
                                       table.path(), i, Quoted(role)));
    }
  }
  return roles;
}

}  // namespace

PolicyFileReader::PolicyFileReader(TomlDocument& document, std::string hash)
    : document_(document), root_(document.Root()) {
  set_.hash_ = std::move(hash);
}

Result<PolicySet> PolicyFileReader::Read() {
  root_.RequiredInt("version", 1, 1);
  ReadMode();
  const RulesContext context{set_.development_, nullptr, {}};
  AddPolicy(std::string(kDefault), ReadRules(root_, context));
  ReadPolicies();
  ReadPrincipals();
  TW_TRY(document_.Finish());
  return std::move(set_);
}

void PolicyFileReader::ReadMode() {
  const auto mode = root_.String("mode");
  if (!mode) return;
  set_.development_ = *mode == "development";
  if (*mode != "development" && *mode != "production") {
    root_.Problem("mode",
                  fmt::format("'mode' is {}: \"production\" or \"development\"", Quoted(*mode)));
  }
}

void PolicyFileReader::AddPolicy(const std::string& name, Rules rules) {
  set_.policies_.emplace(name, Policy(name, set_.hash_, std::move(rules)));
}

void PolicyFileReader::ReadPolicies() {
  auto policies = root_.Table("policy");
  if (!policies) return;
  const std::vector<std::string> names = policies->Keys();
  if (names.size() > PolicySet::kMaxNamed) {
    policies->Problem(names[PolicySet::kMaxNamed],
                      fmt::format("{} policies: at most {} besides 'default'", names.size(),
                                  PolicySet::kMaxNamed));
  }
  std::map<std::string, TomlTable> waiting;
  for (const std::string& name : names) {
    auto table = policies->Table(name);
    if (!table) continue;
    if (!IsPlainName(name)) {
      policies->Problem(name, fmt::format("policy name {}: {}", Quoted(name), kNameRight));
    }
    if (name == kDefault) {
      policies->Problem(name, "policy 'default' is the file's top-level tables: another name here");
    }
    parents_[name] = table->RequiredString("inherits");
    waiting.emplace(name, *table);
  }
  while (!waiting.empty()) ReadWithParents(waiting);
}

// Reads one of the policies that wait and those that it inherits from, parents before children in
// whatever order the file has them. None waits twice, so that the whole takes as many steps as
// there are policies.
void PolicyFileReader::ReadWithParents(std::map<std::string, TomlTable>& waiting) {
  std::vector<std::pair<std::string, TomlTable>> line;
  for (auto next = waiting.begin(); next != waiting.end();
       next = waiting.find(parents_[line.back().first])) {
    line.emplace_back(next->first, next->second);
    waiting.erase(next);
  }
  for (; !line.empty(); line.pop_back()) {
    auto& [name, table] = line.back();
    const std::string& parent_name = parents_[name];
    const Policy* parent = set_.Find(parent_name);
    if (parent != nullptr) {
      AddPolicy(name, ReadRules(table, {set_.development_, &parent->rules(), parent_name}));
      continue;
    }
    if (!parent_name.empty()) {
      table.Problem(
          "inherits",
          fmt::format("policy {} {}: \"default\" or a policy of this file", Quoted(name),
                      parents_.contains(parent_name) ? "inherits from itself"
                                                     : "inherits from an unknown policy"));
    }
    // Read all the same, so that its other problems come out now.
    ReadRules(table, {set_.development_, nullptr, {}});
  }
}

void PolicyFileReader::ReadPrincipals() {
  for (TomlTable& table : root_.Tables("principal")) ReadPrincipal(table);
}

void PolicyFileReader::ReadPrincipal(TomlTable& table) {
  Principal principal;
  principal.name = table.RequiredString("name");
  if (!principal.name.empty() && !IsPlainName(principal.name)) {
    table.Problem(
        "name", KeyProblem(table, "name", Quoted(principal.name) + ": " + std::string(kNameRight)));
  }
  const bool has_uid = table.Has("uid");
  principal.uid = static_cast<uid_t>(table.RequiredInt("uid", 0, kMaxUid));
  principal.roles = ReadRoles(table);
  principal.policy = table.String("policy").value_or(std::string(kDefault));
  if (principal.policy != kDefault && !parents_.contains(principal.policy)) {
    table.Problem("policy",
                  KeyProblem(table, "policy",
                             Quoted(principal.policy) + ": \"default\" or a policy of this file"));
  }
  if (const Principal* other = set_.FindPrincipal(principal.name);
      other != nullptr && !principal.name.empty()) {
    table.Problem("name", KeyProblem(table, "name",
                                     Quoted(principal.name) + " a second time: a name of its own"));
  }
  if (const Principal* other = set_.FindPrincipal(principal.uid); other != nullptr && has_uid) {
    table.Problem("uid",
                  KeyProblem(table, "uid",
                             fmt::format("{}, which principal {} has: one uid, one principal",
                                         principal.uid, Quoted(other->name))));
  }
  set_.of_uid_.emplace(principal.uid, set_.principals_.size());
  set_.of_name_.emplace(principal.name, set_.principals_.size());
  set_.principals_.push_back(std::move(principal));
}

}  // namespace tidewaiter::policy
