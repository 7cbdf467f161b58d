// What GET /containers/ID/json says of how far a container has come. Pure.
#pragma once

#include "broker/json/json.h"
#include "broker/run/backend.h"

namespace tidewaiter::docker {

// All of it but the container.
run::Adopted ReadContainerState(const Json& inspect);

}  // namespace tidewaiter::docker
