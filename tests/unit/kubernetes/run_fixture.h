// An admitted run, and what it becomes in a cluster.
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "broker/kubernetes/job_manifest.h"
#include "broker/kubernetes/labels.h"
#include "tests/support/admitted_run.h"

namespace tidewaiter::kubernetes {

inline const RunId kRunId{"aaaaaaaaaaaaaaaaaaaaaaaaaa"};
inline const BrokerId kBrokerId{"bbbbbbbbbbbbbbbbbbbbbbbbbb"};
inline const std::string kName = "tw-aaaaaaaaaaaaaaaaaaaaaaaaaa";
inline const std::string kImage = "registry.example/lab/job@sha256:" + std::string(64, 'd');

inline policy::RunSpec FullSpec() {
  policy::RunSpec spec;
  spec.image = "registry.example/lab/job:1.0.0@sha256:" + std::string(64, 'd');
  spec.command = {"run", "$(HOME)", "$$"};
  spec.env = {{"A", "1"}, {"EMPTY", ""}, {"HOME", "/work"}, {"PRICE", "5$"}};
  spec.working_dir = "/work";
  spec.user = "1000:1001";
  spec.labels = {{"team", "blue"}};
  spec.limits.memory_bytes = 64000000;
  spec.limits.cpu_millis = 2000;
  spec.limits.timeout_millis = 60000;
  spec.limits.tmpfs_bytes = 1 << 20;
  spec.limits.log_bytes = 1 << 20;
  spec.mounts = {{.target = "/tmp", .read_only = false, .source = policy::TmpfsMount{4096}}};
  spec.add_capabilities = {"NET_BIND_SERVICE"};
  spec.tenant = {.challenge = "c1", .job = "job of the day", .task = ""};
  return spec;
}

inline policy::AdmittedRun AdmittedOf(const policy::RunSpec& spec) {
  return ::tidewaiter::testing::Admit(
      ::tidewaiter::testing::PermissivePolicy("registry.example/lab/*"), spec);
}

inline KubernetesSettings TestSettings() {
  KubernetesSettings settings;
  settings.broker_id = kBrokerId;
  return settings;
}

inline Json BodyOf(const policy::RunSpec& spec, const KubernetesSettings& settings = TestSettings(),
                   const std::vector<InputParts>& inputs = {}) {
  const policy::AdmittedRun admitted = AdmittedOf(spec);
  const ObjectLabels labels = LabelsOf(kBrokerId, kRunId, "validator", admitted.effective());
  return JobBody({.admitted = admitted,
                  .run_id = kRunId,
                  .labels = labels,
                  .image = kImage,
                  .inputs = inputs,
                  .settings = settings});
}

}  // namespace tidewaiter::kubernetes
