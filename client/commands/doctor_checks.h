// What `doctor` can find out without the broker: files, folders, room, clock. Reads metadata and
// the two configuration files; never changes anything. Thread: any.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "broker/config/broker_config.h"

namespace tidewaiter::cli {

struct CheckLine {
  enum class State { kOk, kFail, kSkipped };
  std::string name;
  State state = State::kOk;
  // What was found; where it fails, also what to do.
  std::string detail;
};

// Reads the broker's configuration and appends the line of it. Empty: it cannot be used.
// `named` tells a file that the user named, which must be there, from the default one.
std::optional<config::BrokerConfig> CheckConfig(const std::string& path, bool named,
                                                std::vector<CheckLine>& lines);

// Policy file, state and audit folder with the room below them, clock.
void CheckHost(const std::string& config_path, const config::BrokerConfig& config,
               std::vector<CheckLine>& lines);

// Whether the socket is there and what its mode lets this process do.
void CheckSocket(const std::string& path, std::vector<CheckLine>& lines);

}  // namespace tidewaiter::cli
