// What the configuration says about the engine. Plain data.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <string>

#include "base/strong_id.h"
#include "broker/registry/settings.h"
#include "policy/effective_run.h"

namespace tidewaiter::docker {

struct DockerSettings {
  // Whether the broker can give files to that user, for inputs and outputs. Empty: to every one.
  std::function<bool(const policy::UserId&)> may_give_to;
  std::string socket = "/run/docker.sock";
  BrokerId broker_id;
  std::map<std::string, std::string> seccomp_profiles;  // name -> the profile's JSON text
  registry::RegistrySettings registry;

  std::chrono::milliseconds call_timeout{std::chrono::seconds(30)};    // each plain call
  std::chrono::milliseconds create_timeout{std::chrono::seconds(60)};  // network or container
  std::chrono::milliseconds start_timeout{std::chrono::minutes(2)};
  std::chrono::milliseconds attach_timeout{std::chrono::seconds(30)};
  // An engine that is well answers a ping, or a question about one container, or opens its event
  // stream, within this time.
  std::chrono::milliseconds check_timeout{std::chrono::seconds(5)};
  // How long an engine that runs something for us may say nothing before it is pinged.
  std::chrono::milliseconds ping_interval{std::chrono::seconds(10)};
  std::chrono::milliseconds pull_silence{std::chrono::minutes(2)};  // no progress line for so long
  // Between attempts to open the event stream again: doubles from 100 ms up to this.
  std::chrono::milliseconds event_retry_max{std::chrono::seconds(2)};
  // An engine that gives no events for so long has lost every container that was being watched.
  std::chrono::milliseconds event_loss_limit{std::chrono::seconds(60)};
  // After a create whose answer was lost, absence is not believed before create_timeout and so long
  // more have passed: the engine may still be at it. What comes even later is found by the periodic
  // comparison of labels.
  std::chrono::milliseconds settle_time{std::chrono::seconds(10)};
};

}  // namespace tidewaiter::docker
