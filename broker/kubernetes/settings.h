// What the configuration says about the cluster. Plain data.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/strong_id.h"
#include "broker/registry/settings.h"

namespace tidewaiter::kubernetes {

// core/v1 Toleration. Empty strings and an absent number are fields left out.
struct Toleration {
  std::string key;
  std::string operation;  // its `operator`
  std::string value;
  std::string effect;
  std::optional<std::int64_t> seconds;
};

struct KubernetesSettings {
  BrokerId broker_id;
  std::string name_space = "tidewaiter";
  registry::RegistrySettings registry;

  // Of every pod: what the cluster's owner says about where and how jobs run.
  std::map<std::string, std::string> node_selector;
  std::vector<Toleration> tolerations;
  std::string runtime_class;  // empty: the cluster's default
  std::vector<std::string> image_pull_secrets;

  // "REPOSITORY@DIGEST" of the image that is tidewaiter-carrier; empty: no files are carried.
  std::string carrier_image;
  // All inputs of a run together, as archives.
  std::int64_t max_input_bytes = std::int64_t{8} << 20U;

  std::chrono::milliseconds call_timeout{std::chrono::seconds(30)};  // each plain call
  // How long a pod may stay without a node, and how long its image may fail to be pulled, before
  // the run fails. Kubernetes itself would try for ever.
  std::chrono::milliseconds schedule_timeout{std::chrono::minutes(1)};
  std::chrono::milliseconds pull_failure_timeout{std::chrono::seconds(20)};
  // SIGTERM to SIGKILL, by the kubelet: terminationGracePeriodSeconds.
  std::chrono::milliseconds stop_grace{std::chrono::seconds(5)};
  // From the Job's creation to the start of its container, for activeDeadlineSeconds.
  std::chrono::milliseconds prepare_timeout{std::chrono::minutes(10)};
  // For all outputs of a run; for activeDeadlineSeconds.
  std::chrono::milliseconds output_timeout{std::chrono::minutes(10)};
  // How long a Job that has ended stays where no broker removes it: ttlSecondsAfterFinished.
  std::chrono::milliseconds finished_ttl{std::chrono::hours(1)};
  // Between attempts to open a watch again: doubles from 100 ms up to this.
  std::chrono::milliseconds watch_retry_max{std::chrono::seconds(2)};
  // A cluster that tells of no changes for so long has lost every pod that was being watched.
  std::chrono::milliseconds watch_loss_limit{std::chrono::minutes(2)};
  // After a create whose answer was lost, absence is not believed before call_timeout and so long
  // more have passed.
  std::chrono::milliseconds settle_time{std::chrono::seconds(10)};
};

}  // namespace tidewaiter::kubernetes
