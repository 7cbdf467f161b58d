// How the engine is asked to keep a container's output, and what it can be trusted to have kept of
// it. Pure.
//
// The driver "local" keeps bytes as they came ("json-file" does not, where they are not UTF-8), in
// files of a bounded size, of which the oldest goes when a further one is begun. Each message,
// which is a line, or up to 16 KiB of a longer one, takes some 30 bytes more than it has. Nothing
// can have been dropped as long as all that the engine has would fit into one file less than there
// may be: that is four times limits.log, so all of it is kept of an output whose lines are 11 bytes
// long or longer on average; of one that is nothing but line ends, an eighth. What is beyond is
// given up (LOG_INCOMPLETE), since nobody could tell where the rest begins. No container's log
// takes more of the engine's disk than five times (limits.log + 64 KiB).
#pragma once

#include <cstdint>

#include "broker/json/json.h"

namespace tidewaiter::docker {

// HostConfig.LogConfig for a container whose output the engine keeps, and for one whose output goes
// to the attached stream alone (driver "none").
Json KeptLogConfig(std::int64_t log_bytes);
Json NoLogConfig();

// So many bytes of the engine's files never make it drop one. 0: no log is kept, or not by this
// driver.
std::uint64_t SafeLogBytes(const Json& log_config);

}  // namespace tidewaiter::docker
