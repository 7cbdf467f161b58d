// An input on its way into a pod.
#pragma once

#include <string>

namespace tidewaiter::extract {

// Makes `folder` (mode 0755) and unpacks into it the archive whose bytes are those of the files in
// the folder `parts`, in the order of their names. The exit status.
int Unpack(const std::string& parts, const std::string& folder);

}  // namespace tidewaiter::extract
