// --input and --output of `run`: which archive goes where, and what that means for the spec. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "tidewaiter/v1/run_spec.pb.h"

namespace tidewaiter::cli {

struct ArchiveFlag {
  std::string name;    // of the mount
  std::string path;    // on this side
  std::string target;  // in the container; empty: the spec has the mount
};

// "NAME=PATH[:TARGET]". TARGET is absolute: it begins after the last ":/"'s colon.
Result<ArchiveFlag> ParseInputFlag(std::string_view text);

// "NAME=[TARGET:]PATH". TARGET is absolute: where the value begins with '/', it ends before the
// first ':'. ":PATH" is a PATH whatever it holds.
Result<ArchiveFlag> ParseOutputFlag(std::string_view text);

// Adds the mounts of those that have a target. Errors: a name twice, one without a target whose
// mount the spec has not, an input of the spec that nothing fills.
Result<void> ApplyInputs(const std::vector<ArchiveFlag>& inputs, v1::RunSpec& spec);
Result<void> ApplyOutputs(const std::vector<ArchiveFlag>& outputs, v1::RunSpec& spec);

}  // namespace tidewaiter::cli
