// A run's Job (batch/v1) as the cluster is asked for it, built field by field from the admitted
// run. Its pod passes the restricted Pod Security Standard. Pure.
#pragma once

#include <string_view>
#include <vector>

#include "base/strong_id.h"
#include "broker/json/json.h"
#include "broker/kubernetes/file_volumes.h"
#include "broker/kubernetes/labels.h"
#include "broker/kubernetes/settings.h"
#include "policy/admitted_run.h"

namespace tidewaiter::kubernetes {

// The name of the job's container. Those of the others: file_volumes.h.
inline constexpr std::string_view kJobContainer = "job";

struct JobRequest {
  const policy::AdmittedRun& admitted;
  const RunId& run_id;
  const ObjectLabels& labels;
  std::string_view image;  // "REPOSITORY@DIGEST"
  const std::vector<InputParts>& inputs;
  const KubernetesSettings& settings;
  bool with_stdin = false;
};

// With `parallelism` 0: the Job makes no pod before StartPatch has been applied to it, which is how
// a Job is held back in every version (`suspend` is 1.21's).
Json JobBody(const JobRequest& request);

// A merge patch (RFC 7386) that lets the Job make its one pod.
Json StartPatch();

// Another that makes it end its pod, with the pod's grace, and make no other one. What the Job owns
// stays: its network policy, which a deletion in the foreground would take away first. It marks the
// Job: once its pod is gone nothing else tells that it has run, and a broker that adopts it must
// not run it again.
Json StopPatch();
bool WasStopped(const Json& job);

// `text` as a command, argument or environment value that Kubernetes takes as it is: it expands
// $(NAME) in them, and reads $$ as $ (core/v1 Container, "command").
std::string WithoutExpansion(std::string_view text);

}  // namespace tidewaiter::kubernetes
