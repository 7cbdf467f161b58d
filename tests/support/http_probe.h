// Asks over HTTP as an orchestrator's probe does, byte for byte what the test wants.
#pragma once

#include <cstdint>
#include <string>

#include "base/unique_fd.h"

namespace tidewaiter::testing {

// Invalid where nothing listens. A read of one gives up (EAGAIN) after 20 s.
UniqueFd ConnectProbe(const std::string& socket_path);
UniqueFd ConnectProbe(std::uint16_t loopback_port);

// Sends `text` (as much of it as the peer takes) and reads to the end. Empty where nothing
// came.
std::string Exchange(const UniqueFd& connection, const std::string& text);

// What GET `target` is answered on a connection of its own, head and body.
std::string Probe(const std::string& socket_path, const std::string& target);

// Of an answer: its status (0 where it is none), its body.
int StatusOf(const std::string& answer);
std::string BodyOf(const std::string& answer);

}  // namespace tidewaiter::testing
