// How a run's files are in its pod: a volume for each input and each output, what unpacks the
// inputs and makes the outputs' folders before the job's container starts, and what keeps the
// outputs after it has ended
// (extract/carrier). Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/strong_id.h"
#include "broker/json/json.h"
#include "broker/kubernetes/settings.h"
#include "policy/effective_run.h"

namespace tidewaiter::kubernetes {

// Names of the carrier's containers: fixed by us, so that no job's output can be taken for theirs.
inline constexpr std::string_view kPrepareContainer = "prepare";
inline constexpr std::string_view kOutputsContainer = "outputs";

// An input on its way: in so many Secrets.
struct InputParts {
  std::string name;
  std::size_t parts = 0;
};

// Names of the inputs and of the outputs of a run, each once, in the order of its mounts.
std::vector<std::string> InputsOf(const policy::EffectiveRun& run);
std::vector<std::string> OutputsOf(const policy::EffectiveRun& run);

// "tw-RUN_ID-NUMBER": the name of the Secret that is the `number`th part of all inputs together.
std::string SecretName(const RunId& run_id, std::size_t number);
// The key of a Secret's only entry.
inline constexpr std::string_view kSecretKey = "part";

struct FileVolumes {
  Json volumes = Json::array();          // of the pod
  Json init_containers = Json::array();  // before the job's
  Json containers = Json::array();       // beside it
};

// `inputs`: of InputsOf, in that order. A run without files has none of it.
FileVolumes FileVolumesOf(const policy::EffectiveRun& run, const RunId& run_id,
                          const std::vector<InputParts>& inputs,
                          const KubernetesSettings& settings);

// The entry in the job's container for a mount of an input or an output; null for any other.
Json FileMount(const policy::EffectiveRun& run, const policy::Mount& mount);

// What the inputs take of the node's disk, for the job's container.
std::int64_t InputStorage(const policy::EffectiveRun& run, const KubernetesSettings& settings);

// The command that packs an output to stdout, in kOutputsContainer.
std::vector<std::string> PackCommand(std::string_view output, std::uint64_t max_bytes, bool last);

}  // namespace tidewaiter::kubernetes
