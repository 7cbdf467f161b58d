// What tidewaiter.toml says, in the terms of each part of the broker. Pure.
#pragma once

#include <chrono>

#include "audit/log.h"
#include "audit/segment_keeper.h"
#include "base/log.h"
#include "broker/daemon/preparation.h"
#include "broker/docker/settings.h"
#include "broker/kubernetes/settings.h"
#include "broker/rpc/server.h"
#include "broker/run/environment.h"

namespace tidewaiter::daemon {

run::RunSettings ToRunSettings(const config::BrokerConfig& config);
docker::DockerSettings ToDockerSettings(const Preparation& preparation, const BrokerId& broker_id);
// The configuration has a table [kubernetes].
kubernetes::KubernetesSettings ToKubernetesSettings(const Preparation& preparation,
                                                    const BrokerId& broker_id);
rpc::ServerSettings ToServerSettings(const config::BrokerConfig& config);
// Without the broker's id and its key.
audit::LogSettings ToLogSettings(const config::BrokerConfig& config);
// `log` must outlive what is made of them.
audit::SegmentKeeper::Settings ToKeeperSettings(const config::BrokerConfig& config, Log& log);

// How long a drain may take, from SIGTERM until the last run is torn down or handed to the next
// start: every wait of a run's end one after another. Beyond it something hangs.
std::chrono::milliseconds LongestDrain(const config::BrokerConfig& config);
// The same for what follows: the reaper's step under way, the server, the log.
std::chrono::milliseconds LongestEnd(const config::BrokerConfig& config);

}  // namespace tidewaiter::daemon
