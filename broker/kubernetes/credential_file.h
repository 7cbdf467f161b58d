// Files that say who the broker is to a cluster, read with a look at who else may. Any thread.
#pragma once

#include <cstddef>
#include <string>

#include "base/result.h"

namespace tidewaiter::kubernetes {

enum class FileKind {
  kPublic,  // a certificate: others may read it, but not change it
  kSecret,  // a key, a token or a whole kubeconfig: its group may read it, others may not
};

// The whole of a regular file (also behind links: the kubelet swaps folders behind one). Errors:
// errno's; INVALID_ARGUMENT (not a regular file), PERMISSION_DENIED (others may do what its kind
// forbids), RESOURCE_EXHAUSTED (more than `max_bytes`). Its contents are in no error.
Result<std::string> ReadCredentialFile(const std::string& path, FileKind kind,
                                       std::size_t max_bytes);

}  // namespace tidewaiter::kubernetes
