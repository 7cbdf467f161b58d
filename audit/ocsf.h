// A record as an event of the Open Cybersecurity Schema Framework (https://schema.ocsf.io), for
// systems that collect those. docs/OCSF.md has the mapping, member by member.
// Pure. Reads hostile bytes. Thread: any.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace tidewaiter::audit {

// The version of the schema that the events are of.
inline constexpr char kOcsfVersion[] = "1.4.0";

// The event of a line, as one line of JSON without a line feed. It has the exact line as `raw_data`
// and every member that has no place of its own under `unmapped`: nothing is lost. A type that is
// not known here becomes a Base Event. INVALID_ARGUMENT where the line is no record.
Result<std::string> ToOcsf(std::string_view line);

}  // namespace tidewaiter::audit
