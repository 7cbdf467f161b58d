// docker's --mount, -v and --tmpfs as mounts of a RunSpec. Pure. What is a mount at all is checked
// here; what is allowed is the policy's.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "tidewaiter/v1/run_spec.pb.h"

namespace tidewaiter::cli {

// "type=bind,source=/a,target=/b,readonly"; type is bind, tmpfs, volume (the default, as docker's),
// input or output. source (or src) is the host path, or the name of a volume, input or output;
// target is also dst or destination; readonly is also ro; tmpfs-size for tmpfs. A field may stand
// in double quotes, within which commas count as they are and "" is a quote (RFC 4180).
Result<v1::Mount> ParseMountFlag(std::string_view text);

// "SOURCE:TARGET[:ro|:rw]"; a SOURCE without '/' before it is a volume's name, as docker has it.
Result<v1::Mount> ParseVolumeFlag(std::string_view text);

// "TARGET[:OPTION,...]" with size=BYTES, ro, rw, and noexec, nosuid and nodev, which always hold.
Result<v1::Mount> ParseTmpfsFlag(std::string_view text);

}  // namespace tidewaiter::cli
