#include "policy/rules_reader.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/printable.h"
#include "base/trusted_path.h"
#include "policy/backends.h"
#include "policy/capability.h"
#include "policy/host_area.h"
#include "policy/plain_name.h"
#include "policy/quantity.h"

namespace tidewaiter::policy {
namespace {

// Sorts and removes duplicates.
void Normalise(std::vector<std::string>& values) {
  std::sort(values.begin(), values.end());
  values.erase(std::unique(values.begin(), values.end()), values.end());
}

std::string_view Example(LimitUnit unit) noexcept {
  switch (unit) {
    case LimitUnit::kBytes: return "bytes or a size such as \"64MiB\"";
    case LimitUnit::kCpuMillis: return "a number of CPUs such as 0.5";
    case LimitUnit::kCount: return "a whole number";
    case LimitUnit::kMillis: return "a duration such as \"15m\"";
  }
  return "";
}

std::optional<std::int64_t> ToLimit(LimitUnit unit, const TomlScalar& scalar) {
  Result<std::int64_t> value = Fail(ErrorCode::kInvalidArgument, "");
  if (const auto* text = std::get_if<std::string>(&scalar)) value = ParseLimit(unit, *text);
  if (const auto* number = std::get_if<double>(&scalar); number && unit == LimitUnit::kCpuMillis) {
    value = CpuMillis(*number);
  }
  if (const auto* number = std::get_if<std::int64_t>(&scalar)) {
    if (unit == LimitUnit::kBytes || unit == LimitUnit::kCount) value = *number;
    if (unit == LimitUnit::kCpuMillis) value = CpuMillis(static_cast<double>(*number));
  }
  if (!value) return std::nullopt;
  return *value;
}

std::optional<std::int64_t> ReadLimitValue(TomlTable& table, std::string_view key,
                                           const LimitInfo& info) {
  const auto scalar = table.Scalar(key);
  if (!scalar) return std::nullopt;
  const auto value = ToLimit(info.unit, *scalar);
  if (!value) {
    table.Problem(key, KeyProblem(table, key, fmt::format("not readable: {}", Example(info.unit))));
  } else if (*value < info.smallest || *value > info.largest) {
    table.Problem(key,
                  KeyProblem(table, key,
                             fmt::format("{}: between {} and {}", FormatLimit(info.unit, *value),
                                         FormatLimit(info.unit, info.smallest),
                                         FormatLimit(info.unit, info.largest))));
    return std::nullopt;
  }
  return value;
}

void ReadLimit(TomlTable& limits, const LimitInfo& info, const LimitRule* parent,
               const RulesContext& context, LimitRule& rule) {
  auto table = limits.Table(info.key);
  if (!table) return;
  const auto max = ReadLimitValue(*table, "max", info);
  const auto default_value = ReadLimitValue(*table, "default", info);
  if (max) rule.max = *max;
  // A maximum below the inherited default lowers the default too.
  rule.default_value = default_value.value_or(std::min(rule.default_value, rule.max));
  const std::string max_text = FormatLimit(info.unit, rule.max);
  if (default_value && *default_value > rule.max) {
    table->Problem("default",
                   KeyProblem(*table, "default",
                              fmt::format("{}: at most the maximum, {}",
                                          FormatLimit(info.unit, *default_value), max_text)));
  }
  if (parent != nullptr && rule.max > parent->max) {
    table->Problem(
        "max", Loosens(*table, "max", context, "at most " + FormatLimit(info.unit, parent->max)));
  }
}

void ReadLimits(TomlTable& table, const RulesContext& context, Rules& rules) {
  auto limits = table.Table("limits");
  if (!limits) return;
  for (std::size_t i = 0; i < kLimitCount; ++i) {
    const LimitRule* parent = context.parent != nullptr ? &context.parent->limits[i] : nullptr;
    ReadLimit(*limits, kLimits[i], parent, context, rules.limits[i]);
  }
}

// A switch that is off where `tight` is; a child may not turn it to the other side.
void ReadSwitch(TomlTable& table, std::string_view key, bool tight, const RulesContext& context,
                bool& value) {
  const auto read = table.Bool(key);
  if (!read) return;
  if (context.parent != nullptr && value == tight && *read != tight) {
    table.Problem(key, Loosens(table, key, context, tight ? "true" : "false"));
  }
  value = *read;
}

// A list of what is allowed, each element made canonical by `parse` (nothing: a problem, `right`
// says what would be right); `admitted` tells whether the parent's list admits it.
template <typename Parse, typename Admitted, typename List>
void ReadAllowList(TomlTable& table, const RulesContext& context, std::string_view right,
                   Parse parse, Admitted admitted, List& list) {
  const auto read = table.Strings("allow");
  if (!read) return;
  std::vector<std::string> values;
  for (std::size_t i = 0; i < read->size(); ++i) {
    const std::string name = fmt::format("{}.allow[{}]", table.path(), i);
    const std::optional<std::string> value = parse((*read)[i]);
    if (!value) {
      table.ElementProblem("allow", i,
                           fmt::format("'{}' is {}: {}", name, Quoted((*read)[i]), right));
    } else if (context.parent != nullptr && !admitted(*value)) {
      table.ElementProblem("allow", i,
                           fmt::format("'{}' loosens policy '{}': only what that one allows", name,
                                       context.parent_name));
    } else {
      values.push_back(*value);
    }
  }
  Normalise(values);
  list = std::move(values);
}

bool Contains(const std::vector<std::string>& sorted, const std::string& value) {
  return std::binary_search(sorted.begin(), sorted.end(), value);
}

void ReadMounts(TomlTable& table, const RulesContext& context, Rules& rules) {
  auto mounts = table.Table("mounts");
  if (!mounts) return;
  const auto inherited = rules.bind_sources;
  ReadAllowList(
      *mounts, context,
      "an absolute path without '.', '..', '//' or a final '/', neither a system nor an engine "
      "path "
      "nor a folder that holds one",
      [](const std::string& path) -> std::optional<std::string> {
        if (!IsNormalPath(path) || !IsUtf8(path) || HasControl(path) || ForbiddenSource(path)) {
          return std::nullopt;
        }
        return path;
      },
      [&](const std::string& path) { return IsAtOrBelowAny(path, *inherited); },
      rules.bind_sources);
  ReadSwitch(*mounts, "writable", false, context, rules.writable_binds);
}

void ReadNetwork(TomlTable& table, const RulesContext& context, Rules& rules) {
  auto network = table.Table("network");
  if (!network) return;
  const auto read = network->Strings("modes");
  if (!read) return;
  std::vector<NetworkMode> modes;
  for (std::size_t i = 0; i < read->size(); ++i) {
    const std::string name = fmt::format("{}.modes[{}]", network->path(), i);
    std::optional<NetworkMode> mode;
    for (const NetworkMode known :
         {NetworkMode::kNone, NetworkMode::kIsolated, NetworkMode::kBridge}) {
      if ((*read)[i] == ToString(known)) mode = known;
    }
    if (!mode) {
      network->ElementProblem(
          "modes", i,
          fmt::format("'{}' is {}: one of none, isolated, bridge", name, Quoted((*read)[i])));
      continue;
    }
    const auto& inherited = rules.network_modes;
    if (context.parent != nullptr &&
        std::find(inherited.begin(), inherited.end(), *mode) == inherited.end()) {
      network->ElementProblem("modes", i,
                              fmt::format("'{}' loosens policy '{}': only what that one allows",
                                          name, context.parent_name));
    }
    if (std::find(modes.begin(), modes.end(), *mode) == modes.end()) modes.push_back(*mode);
  }
  if (read->empty()) {
    network->Problem("modes", KeyProblem(*network, "modes", "empty: at least one mode"));
  }
  rules.network_modes = std::move(modes);
}

void ReadCapabilities(TomlTable& table, const RulesContext& context, Rules& rules) {
  auto capabilities = table.Table("capabilities");
  if (!capabilities) return;
  const std::vector<std::string> inherited = rules.capabilities;
  ReadAllowList(
      *capabilities, context, "one Linux capability, as in \"NET_BIND_SERVICE\"",
      [](const std::string& name) -> std::optional<std::string> {
        return std::optional<std::string>(NormaliseCapability(name));
      },
      [&](const std::string& name) { return Contains(inherited, name); }, rules.capabilities);
}

void ReadNames(TomlTable& table, std::string_view key, const RulesContext& context,
               Shared<std::vector<std::string>>& names) {
  auto named = table.Table(key);
  if (!named) return;
  const auto inherited = names;
  ReadAllowList(
      *named, context,
      "1 to 64 letters, digits, '.', '_' and '-', the first a letter or digit; not \"unconfined\"",
      [](const std::string& name) -> std::optional<std::string> {
        if (!IsPlainName(name) || name == "unconfined") return std::nullopt;
        return name;
      },
      [&](const std::string& name) { return Contains(*inherited, name); }, names);
}

// Neither tight nor loose: what a backend cannot enforce it refuses, so that a child may name
// another one than its parent.
void ReadBackend(TomlTable& table, Rules& rules) {
  const auto read = table.String("backend");
  if (!read) return;
  if (!IsBackend(*read)) {
    table.Problem("backend",
                  KeyProblem(table, "backend", Quoted(*read) + ": \"docker\" or \"kubernetes\""));
  }
  rules.backend = *read;
}

}  // namespace

std::string KeyProblem(const TomlTable& table, std::string_view key, std::string_view wrong) {
  return fmt::format("'{}{}{}' is {}", table.path(), table.path().empty() ? "" : ".", key, wrong);
}

std::string Loosens(const TomlTable& table, std::string_view key, const RulesContext& context,
                    std::string_view right) {
  return fmt::format("'{}.{}' loosens policy '{}': {}", table.path(), key, context.parent_name,
                     right);
}

Rules ReadRules(TomlTable& table, const RulesContext& context) {
  Rules rules = context.parent != nullptr ? *context.parent : Rules::BuiltIn();
  rules.development = context.development;
  ReadBackend(table, rules);
  ReadImageRules(table, context, rules);
  ReadLimits(table, context, rules);
  ReadMounts(table, context, rules);
  ReadNetwork(table, context, rules);
  ReadCapabilities(table, context, rules);
  if (auto user = table.Table("user")) {
    ReadSwitch(*user, "allow_root", false, context, rules.allow_root);
  }
  if (auto rootfs = table.Table("rootfs")) {
    ReadSwitch(*rootfs, "allow_writable", false, context, rules.allow_writable_rootfs);
  }
  ReadNames(table, "runtimes", context, rules.runtimes);
  ReadNames(table, "seccomp", context, rules.seccomp_profiles);
  return rules;
}

}  // namespace tidewaiter::policy
