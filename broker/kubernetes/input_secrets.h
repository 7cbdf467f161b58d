// A run's inputs on their way into its pod: plain tar archives, cut into Secrets (core/v1 Secret).
// On the run's thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/strong_id.h"
#include "broker/json/json.h"
#include "broker/kubernetes/file_volumes.h"
#include "broker/kubernetes/labels.h"
#include "broker/run/backend.h"
#include "policy/effective_run.h"

namespace tidewaiter::kubernetes {

// Bytes of an archive in one Secret. The API server takes 1 MiB of them (MaxSecretSize).
inline constexpr std::size_t kPartBytes = 1'000'000;

// How many Secrets each input of the run needs: reads them all, and keeps nothing. Errors:
// INPUT_TOO_LARGE where the archives together have more than `max_bytes`; the reader's.
Result<std::vector<InputParts>> MeasureInputs(const policy::EffectiveRun& run,
                                              const run::InputReader& read, std::uint64_t max_bytes,
                                              const run::Patience& patience);

// Reads them again, and gives each part, numbered from 0 over all inputs. Errors: those of `take`
// and the reader's; INTERNAL where they are not what was measured.
using TakePart = std::function<Result<void>(std::size_t number, std::string_view bytes)>;
Result<void> ForEachPart(const std::vector<InputParts>& inputs, const run::InputReader& read,
                         const run::Patience& patience, const TakePart& take);

// The Secret that is this part. `job`, its owner, as the cluster has it.
Json SecretBody(const RunId& run_id, const ObjectLabels& labels, std::size_t number,
                std::string_view bytes, const Json& job);

// Whether the cluster has the Secret as it was asked for; ENGINE_DIFFERS.
Result<void> CheckSecret(const Json& body, const Json& made);

}  // namespace tidewaiter::kubernetes
