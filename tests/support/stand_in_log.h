// What a "container" of the stand-in engine writes, as its command says, and how the engine tells
// it: live to who is attached, and out of its log.
#pragma once

#include <chrono>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "tests/support/stand_in_server.h"

namespace tidewaiter::testing {

using StandInTime = std::chrono::sys_time<std::chrono::nanoseconds>;

// "2026-11-22T18:51:09.765925175Z", as the engine writes times; that of "never" for none.
std::string EngineTimeText(std::optional<StandInTime> time);

// Sends it as frames, as large ones as come. False where the peer is gone.
bool SendOutput(const nlohmann::json& command, StandInConnection& connection);

// GET /containers/ID/logs. `started_at`: none where it has not run.
void AnswerLog(const nlohmann::json& command, const nlohmann::json& host_config,
               std::optional<StandInTime> started_at, const std::string& query,
               StandInConnection& connection);

}  // namespace tidewaiter::testing
