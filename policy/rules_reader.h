// Reads the rule tables ([images], [limits.*], [mounts], ...) of one policy. A policy with a parent
// starts from the parent's rules, and every field that would admit what the parent denies is a
// problem at its place in the file.
#pragma once

#include <string>

#include "base/toml_document.h"
#include "policy/policy.h"

namespace tidewaiter::policy {

struct RulesContext {
  bool development = false;
  const Rules* parent = nullptr;  // null: the file's own top-level tables
  std::string parent_name;
};

// Problems are noted in the table's document; the result is meaningful only where it ends without
// any.
Rules ReadRules(TomlTable& table, const RulesContext& context);

// The [images] part of it.
void ReadImageRules(TomlTable& table, const RulesContext& context, Rules& rules);

// "'KEY' loosens policy 'PARENT': RIGHT".
std::string Loosens(const TomlTable& table, std::string_view key, const RulesContext& context,
                    std::string_view right);
// "'KEY' is WRONG: RIGHT", KEY with the table's path.
std::string KeyProblem(const TomlTable& table, std::string_view key, std::string_view wrong);

}  // namespace tidewaiter::policy
