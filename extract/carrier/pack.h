// An output on its way out of a pod.
#pragma once

#include <string>

namespace tidewaiter::extract {

// Packs `folder`, at most `max_bytes` of content, to stdout. `last`: nothing is packed after it,
// and process 1 is told so (Hold). The exit status.
int Pack(const std::string& folder, const std::string& max_bytes, bool last);

}  // namespace tidewaiter::extract
