// The sockets on which probes ask: those that the configuration names, each one optional.
#pragma once

#include <optional>

#include "base/result.h"
#include "base/unique_fd.h"
#include "broker/config/broker_config.h"
#include "broker/config/loopback_address.h"
#include "broker/rpc/listening_socket.h"

namespace tidewaiter::daemon {

struct HealthSockets {
  std::optional<rpc::ListeningSocket> local;
  UniqueFd loopback;
};

Result<HealthSockets> OpenHealthSockets(const config::BrokerConfig& config);

// A socket that listens there. Errors: errno's.
Result<UniqueFd> ListenOn(const config::LoopbackAddress& address);

}  // namespace tidewaiter::daemon
