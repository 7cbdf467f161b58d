// Where the job of a pod writes an output.
#pragma once

#include <string>

namespace tidewaiter::extract {

// Makes `folder`, this user's own (mode 0700). The exit status.
int MakeOutputFolder(const std::string& folder);

}  // namespace tidewaiter::extract
