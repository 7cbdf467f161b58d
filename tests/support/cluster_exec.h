// What commands do in the containers of a stand-in's pod: the carrier packs what the job has
// written into an output, which is one file, "origin", with the path of the output's folder in it.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/support/stand_in_server.h"

namespace tidewaiter::testing {

struct ExecDeed {
  std::string out{};
  std::string err{};
  std::string status{};      // a meta/v1 Status, as it comes on the status channel
  bool ends_holder = false;  // the container ends with it
};
// Of a container that is there and has been started.
ExecDeed DeedOfExec(const nlohmann::json& pod, const std::string& container,
                    const std::vector<std::string>& command);

// The words of its "command=", in order.
std::vector<std::string> CommandOf(const StandInRequest& request);

// The archive of an output of that name.
std::string StandInOutput(const std::string& name);

}  // namespace tidewaiter::testing
