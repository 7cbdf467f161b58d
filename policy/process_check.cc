#include <fmt/format.h>

#include <string_view>

#include "base/printable.h"
#include "base/trusted_path.h"
#include "policy/checks.h"
#include "policy/rules.h"

namespace tidewaiter::policy {
namespace {

constexpr std::size_t kMaxArguments = 1024;
constexpr std::size_t kMaxCommandBytes = 256 * 1024;
// Besides HOME, which every run has.
constexpr std::size_t kMaxVariables = 256;
constexpr std::size_t kMaxEnvBytes = 256 * 1024;
constexpr std::string_view kHome = "HOME";
constexpr std::size_t kMaxEnvName = 256;
// execve(2) refuses a single string of more (MAX_ARG_STRLEN), the "NAME=" included.
constexpr std::size_t kMaxExecString = 128 * 1024 - 1;

bool HasNul(std::string_view text) noexcept {
  return text.find('\0') != std::string_view::npos;
}

// Empty where nothing is.
std::string_view WhatIsWrongWithName(std::string_view name) noexcept {
  if (name.empty()) return "is empty";
  if (name.size() > kMaxEnvName) return "is longer than 256 bytes";
  if (name.find('=') != std::string_view::npos) return "holds '='";
  if (HasNul(name)) return "holds a NUL byte";
  if (HasControl(name) && name.find_first_of("\r\n") != std::string_view::npos) {
    return "holds a line break";
  }
  if (!IsUtf8(name)) return "is not UTF-8";
  return {};
}

}  // namespace

void CheckCommand(Check& check) {
  const auto& command = check.spec.command;
  std::size_t bytes = 0;
  for (const std::string& argument : command) bytes += argument.size() + 1;
  if (command.size() > kMaxArguments || bytes > kMaxCommandBytes) {
    check.Deny(rule::kCommandTooLarge, "command",
               fmt::format("{} arguments of {} bytes in all", command.size(), bytes),
               fmt::format("at most {} arguments and {} bytes", kMaxArguments, kMaxCommandBytes));
    return;
  }
  for (std::size_t i = 0; i < command.size(); ++i) {
    std::string_view wrong;
    if (i == 0 && command[i].empty()) wrong = "the program's name is empty";
    if (command[i].size() > kMaxExecString) wrong = "the argument is longer than 131071 bytes";
    if (!IsUtf8(command[i])) wrong = "the argument is not UTF-8";
    if (HasNul(command[i])) wrong = "the argument holds a NUL byte";
    if (wrong.empty()) continue;
    check.Deny(rule::kCommandInvalid, fmt::format("command[{}]", i), std::string(wrong),
               "UTF-8 text without NUL bytes, at most 131071 bytes each");
  }
  check.run.command = command;
}

void CheckEnv(Check& check) {
  const auto& env = check.spec.env;
  std::size_t bytes = 0;
  std::size_t count = 0;
  for (const auto& [name, value] : env) {
    if (name == kHome) continue;
    bytes += name.size() + value.size() + 2;
    ++count;
  }
  if (count > kMaxVariables || bytes > kMaxEnvBytes) {
    check.Deny(rule::kEnvTooLarge, "env",
               fmt::format("{} variables of {} bytes in all besides HOME", count, bytes),
               fmt::format("at most {} variables and {} bytes", kMaxVariables, kMaxEnvBytes));
    return;
  }
  for (const auto& [name, value] : env) {
    if (const std::string_view wrong = WhatIsWrongWithName(name); !wrong.empty()) {
      check.Deny(
          rule::kEnvName, fmt::format("env[{}]", Quoted(name)),
          fmt::format("the name {} {}", Quoted(name), wrong),
          fmt::format("1 to {} bytes of UTF-8 without '=', NUL and line breaks", kMaxEnvName));
    }
    // The value itself is never shown: it may be a secret.
    std::string_view wrong;
    if (name.size() + 1 + value.size() > kMaxExecString) wrong = "the value is too long";
    if (!IsUtf8(value)) wrong = "the value is not UTF-8";
    if (HasNul(value)) wrong = "the value holds a NUL byte";
    if (wrong.empty()) continue;
    check.Deny(rule::kEnvValue, fmt::format("env[{}]", Quoted(name)), std::string(wrong),
               fmt::format("UTF-8 without NUL, at most {} bytes with the name", kMaxExecString));
  }
  check.run.env = env;
  // The default user has no home in most images, and /tmp is what it can write to.
  check.run.env.try_emplace(std::string(kHome), "/tmp");
}

void CheckWorkingDir(Check& check) {
  const std::string& folder = check.spec.working_dir;
  check.run.working_dir = folder;
  if (folder.empty() || (IsNormalPath(folder) && IsUtf8(folder) && !HasControl(folder))) return;
  check.Deny(rule::kWorkingDir, "workingDir",
             fmt::format("working directory {} is not an absolute, normal path", Quoted(folder)),
             "an absolute path without '.', '..', '//', a final '/' or control characters");
}

}  // namespace tidewaiter::policy
