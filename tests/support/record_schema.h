// Whether records of the audit log are what docs/audit-record.schema.json says, by a validator that
// nobody here wrote: Debian's python3-jsonschema.
#pragma once

#include <string>
#include <vector>

namespace tidewaiter::testing {

// A line per fault, "line N: ...", N from 1 on; empty where all are well. Each of `lines` without
// its line feed. Where the validator cannot be run, that is a fault.
std::vector<std::string> SchemaFaults(const std::vector<std::string>& lines);

// The lines of every file of records in the audit folder of a broker, the oldest first.
std::vector<std::string> RecordsIn(const std::string& audit_folder);

}  // namespace tidewaiter::testing
