// How the stand-in engine answers GET /containers/json: in pages where it is asked for them.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "tests/support/stand_in_server.h"

namespace tidewaiter::testing {

// `all`: their ids end with the number of their making. Of the query it knows `limit`, and of its
// filters `before` and `id`. A `before` that is not there is a 500, as of 20.10.
void AnswerList(nlohmann::json all, const std::string& query, StandInConnection& connection);

}  // namespace tidewaiter::testing
