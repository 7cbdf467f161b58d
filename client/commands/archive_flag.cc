#include "client/commands/archive_flag.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <set>

#include "base/printable.h"

namespace tidewaiter::cli {
namespace {

Error BadFlag(std::string_view flag, std::string_view text, std::string_view cause) {
  return Fail(ErrorCode::kInvalidArgument,
              fmt::format("read {} {}: {}", flag, Quoted(text), cause));
}

// NAME, and the rest in `path`.
Result<ArchiveFlag> SplitName(std::string_view flag, std::string_view text, std::string_view form) {
  const std::size_t equals = text.find('=');
  if (equals == std::string_view::npos || equals == 0 || equals + 1 == text.size()) {
    return BadFlag(flag, text, form);
  }
  return ArchiveFlag{.name = std::string(text.substr(0, equals)),
                     .path = std::string(text.substr(equals + 1)),
                     .target = {}};
}

struct Kind {
  std::string_view flag;
  // The name of the mount, where it is of that kind.
  std::function<const std::string*(const v1::Mount&)> name_of;
  std::function<void(v1::Mount&, const std::string&)> set_name;
};

bool HasMount(const v1::RunSpec& spec, const Kind& kind, const std::string& name) {
  return std::any_of(spec.mounts().begin(), spec.mounts().end(), [&](const v1::Mount& mount) {
    const std::string* const found = kind.name_of(mount);
    return found != nullptr && *found == name;
  });
}

Result<void> Apply(const std::vector<ArchiveFlag>& flags, const Kind& kind, v1::RunSpec& spec) {
  std::set<std::string_view> names;
  for (const ArchiveFlag& flag : flags) {
    if (!names.insert(flag.name).second) {
      return BadFlag(kind.flag, flag.name, "the name stands twice");
    }
    if (!flag.target.empty()) {
      v1::Mount& mount = *spec.add_mounts();
      mount.set_target(flag.target);
      kind.set_name(mount, flag.name);
    } else if (!HasMount(spec, kind, flag.name)) {
      return BadFlag(kind.flag, flag.name,
                     "it has no target, and no mount of the spec has that name");
    }
  }
  return Ok();
}

}  // namespace

Result<ArchiveFlag> ParseInputFlag(std::string_view text) {
  constexpr std::string_view kForm = "expected NAME=PATH:/TARGET, or NAME=PATH for a mount";
  TW_ASSIGN(ArchiveFlag flag, SplitName("--input", text, kForm));
  if (const std::size_t colon = flag.path.rfind(":/"); colon != std::string::npos) {
    flag.target = flag.path.substr(colon + 1);
    flag.path.resize(colon);
  }
  if (flag.path.empty()) return BadFlag("--input", text, kForm);
  return flag;
}

Result<ArchiveFlag> ParseOutputFlag(std::string_view text) {
  constexpr std::string_view kForm = "expected NAME=/TARGET:PATH, or NAME=PATH for a mount";
  TW_ASSIGN(ArchiveFlag flag, SplitName("--output", text, kForm));
  const std::size_t colon = flag.path.find(':');
  if (colon == 0 || (flag.path.front() == '/' && colon != std::string::npos)) {
    flag.target = flag.path.substr(0, colon);
    flag.path.erase(0, colon + 1);
  }
  if (flag.path.empty()) return BadFlag("--output", text, kForm);
  if (flag.path == "-") return BadFlag("--output", text, "PATH is a folder; stdout is the job's");
  return flag;
}

Result<void> ApplyInputs(const std::vector<ArchiveFlag>& inputs, v1::RunSpec& spec) {
  const Kind kind{
      .flag = "--input",
      .name_of =
          [](const v1::Mount& mount) {
            return mount.has_input() ? &mount.input().name() : nullptr;
          },
      .set_name = [](v1::Mount& mount,
                     const std::string& name) { mount.mutable_input()->set_name(name); }};
  TW_TRY(Apply(inputs, kind, spec));
  for (const v1::Mount& mount : spec.mounts()) {
    const bool filled = std::any_of(inputs.begin(), inputs.end(), [&](const ArchiveFlag& flag) {
      return flag.name == mount.input().name();
    });
    if (mount.has_input() && !filled) {
      return BadFlag("--input", mount.input().name(),
                     "the spec has such a mount, and nothing fills it: give NAME=PATH");
    }
  }
  return Ok();
}

Result<void> ApplyOutputs(const std::vector<ArchiveFlag>& outputs, v1::RunSpec& spec) {
  return Apply(
      outputs,
      {.flag = "--output",
       .name_of =
           [](const v1::Mount& mount) {
             return mount.has_output() ? &mount.output().name() : nullptr;
           },
       .set_name = [](v1::Mount& mount,
                      const std::string& name) { mount.mutable_output()->set_name(name); }},
      spec);
}

}  // namespace tidewaiter::cli
