// The program from its arguments to its exit status.
#pragma once

#include <string>
#include <vector>

namespace tidewaiter::cli {

// `arguments` without the program's name. Prints to stdout and stderr.
int RunProgram(std::vector<std::string> arguments);

}  // namespace tidewaiter::cli
