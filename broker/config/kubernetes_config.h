// The table [kubernetes] of tidewaiter.toml as plain data: the cluster that runs may go to, and
// what its owner states of it. Pure; any thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/toml_document.h"
#include "policy/kubernetes_support.h"

namespace tidewaiter::config {

// systemd/example/tidewaiter.toml has every key with its default.
struct KubernetesConfig {
  // Of every pod; core/v1 Toleration. Empty strings and an absent number are fields left out.
  struct Toleration {
    std::string key;
    std::string operation;  // `operator`: "Exists" or "Equal"
    std::string value;
    std::string effect;  // "NoSchedule", "PreferNoSchedule" or "NoExecute"
    std::optional<std::int64_t> seconds;
    friend bool operator==(const Toleration&, const Toleration&) = default;
  };

  std::string kubeconfig;  // path; empty: the service account of the pod that the broker runs in
  std::string context;     // empty: the file's current one
  std::string name_space = "tidewaiter";

  // What cannot be seen from outside, and the cluster's owner knows.
  bool network_policy_enforced = false;
  std::optional<std::int64_t> pod_pids_limit;  // the kubelets' podPidsLimit

  std::map<std::string, std::string> node_selector;
  std::vector<Toleration> tolerations;
  std::string runtime_class;  // empty: the cluster's default
  std::vector<std::string> image_pull_secrets;

  // Of tidewaiter-carrier, by digest: "HOST/NAME@sha256:HEX". Empty: no files are carried.
  std::string carrier_image;
  // All inputs of a run together, as archives.
  std::int64_t max_input_bytes = std::int64_t{8} << 20U;

  // What each of them bounds: broker/kubernetes/settings.h.
  std::chrono::milliseconds call_timeout{std::chrono::seconds(30)};
  std::chrono::milliseconds schedule_timeout{std::chrono::minutes(1)};
  std::chrono::milliseconds pull_failure_timeout{std::chrono::seconds(20)};
  std::chrono::milliseconds finished_ttl{std::chrono::hours(1)};
  std::chrono::milliseconds watch_retry_max{std::chrono::seconds(2)};
  std::chrono::milliseconds watch_loss_limit{std::chrono::minutes(2)};
  std::chrono::milliseconds settle_time{std::chrono::seconds(10)};
  friend bool operator==(const KubernetesConfig&, const KubernetesConfig&) = default;
};

// Problems are noted in the table.
KubernetesConfig ReadKubernetes(TomlTable table);

// What the policy's rules for this backend depend on.
policy::KubernetesTarget ToTarget(const KubernetesConfig& config);

}  // namespace tidewaiter::config
