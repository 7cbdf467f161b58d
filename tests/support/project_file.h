// Where a file of the checkout is, for tests that hold the documents against the code. The one
// place that is compiled with the checkout's path: whatever else knew it would be compiled anew in
// each clone, cache or not.
#pragma once

#include <string>

namespace tidewaiter::testing {

// `path`: from the project's root, such as "docs/POLICY.md".
std::string ProjectFile(const std::string& path);

}  // namespace tidewaiter::testing
