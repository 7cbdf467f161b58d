// Does the engine's container match what was admitted? Compares GET /containers/ID/json after the
// create with the body that was built from the admitted run. Whatever the engine shows that was
// neither asked for nor known to be harmless is a difference, so that a field which a later engine
// adds fails closed. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "broker/docker/image_config.h"
#include "broker/json/json.h"

namespace tidewaiter::docker {

// One field in which they differ. Values are cut and safe to print; those of the environment, the
// command and labels, which may hold secrets, are never shown.
struct Difference {
  std::string field;  // "HostConfig.Memory"
  std::string expected;
  std::string got;
};

struct Expected {
  const Json& body;  // as ContainerBody built it
  const ImageConfig& image;
  std::string_view container_id;
  std::string_view name;          // without the engine's leading '/'
  std::string_view network_name;  // as the engine lists it: "none", "bridge", "tw-..."
};

// Every difference; empty where the container is what was asked for.
std::vector<Difference> Compare(const Expected& expected, const Json& inspect);

// ENGINE_DIFFERS, naming up to five of them.
Result<void> CheckConformity(const Expected& expected, const Json& inspect);

// The same for a network: `inspect` is GET /networks/ID, `body` as NetworkBody built it.
Result<void> CheckNetworkConformity(const Json& body, std::string_view network_id,
                                    const Json& inspect);

}  // namespace tidewaiter::docker
