// What the configuration says about the engine and the registries. Plain data.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <map>
#include <set>
#include <string>

#include "base/strong_id.h"
#include "policy/effective_run.h"

namespace tidewaiter::docker {

struct RegistrySettings {
  // "HOST:PORT" of registries spoken to without TLS; honoured only where HOST is a loopback
  // address.
  std::set<std::string> plain_http;
  // A docker config.json; empty: every registry is asked anonymously. Read again for every use, so
  // that a renewed token needs no restart.
  std::string auth_file;
  // CA certificates in PEM that are trusted besides the system's; may be empty.
  std::string ca_certificates;
  std::chrono::milliseconds call_timeout{std::chrono::seconds(15)};
  // How long a confirmed tag stays confirmed. Refusals are never remembered. Zero: ask every time.
  std::chrono::milliseconds tag_memory{std::chrono::seconds(60)};
  std::size_t tag_memory_entries = 1024;
};

struct DockerSettings {
  // Whether the broker can give files to that user, for inputs and outputs. Empty: to every one.
  std::function<bool(const policy::UserId&)> may_give_to;
  std::string socket = "/run/docker.sock";
  BrokerId broker_id;
  std::map<std::string, std::string> seccomp_profiles;  // name -> the profile's JSON text
  RegistrySettings registry;

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
