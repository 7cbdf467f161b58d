// An output on its way out of a pod.
#pragma once

#include <string>

namespace tidewaiter::extract {

// Packs `folder`, at most `max_bytes` of content, to stdout. `last`: once a byte has come from
// stdin, which says that all of it has arrived, process 1 is told that nothing is packed after it
// (Hold); where stdin ends first it may be packed again. The exit status.
int Pack(const std::string& folder, const std::string& max_bytes, bool last);

}  // namespace tidewaiter::extract
