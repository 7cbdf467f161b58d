// What the offline commands of `tidewaiter audit` have in common: the folder, the key, checkpoints.
// Nothing here asks a broker. Thread: any.
#pragma once

#include <cstddef>
#include <string>

#include "audit/signing_key.h"
#include "base/result.h"
#include "base/unique_fd.h"

namespace tidewaiter::cli {

// Where a broker has its log unless it is told otherwise.
inline constexpr char kAuditFolder[] = "/var/log/tidewaiter";

// A folder that holds a log, or a copy of one.
Result<UniqueFd> OpenAuditFolder(const std::string& path);

// A small file of such a folder: a regular one, and no link, since a copy can be anyone's.
Result<std::string> ReadFolderFile(const std::string& folder, const std::string& name,
                                   std::size_t max_bytes);

struct AuditKey {
  audit::VerifierKey key;
  bool from_folder = false;  // nobody vouches for it
};

// The public key that `given` is, or that is in the file of that name. Where nothing is given, the
// one in the folder: whoever could write the log could write that.
Result<AuditKey> FindAuditKey(const std::string& given, const std::string& folder);

}  // namespace tidewaiter::cli
