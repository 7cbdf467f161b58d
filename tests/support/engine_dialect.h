// What a FaultyEngine must know of the API that it passes on: which calls make up a run, which of
// them have no end, and how a server of that kind says no.
#pragma once

#include <cstddef>
#include <string>

#include "tests/support/stand_in_server.h"

namespace tidewaiter::testing {

struct EngineDialect {
  // "METHOD /path", without version and query, ids and names replaced by '*'.
  std::string (*call)(const StandInRequest&);
  // Comes whenever it wants, whatever the runs do.
  bool (*is_background)(const StandInRequest&);
  // Tells what happens, for as long as the broker lives.
  bool (*is_events)(const StandInRequest&);
  // Its answer has no end that is to be waited for; events among them.
  bool (*is_endless)(const StandInRequest&);
  // The body of a refusal: 500, 409 or 404, of a cluster 429 or 503, too.
  std::string (*refusal)(const StandInRequest&, int status);
  std::string create;       // the call by which what runs the job comes to be
  std::size_t streams = 1;  // of events that a broker follows
};

const EngineDialect& DockerDialect();
const EngineDialect& ClusterDialect();

}  // namespace tidewaiter::testing
