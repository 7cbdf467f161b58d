// What the engine is asked to create: the body of POST /containers/create and /networks/create,
// field by field from an admitted run. No byte of JSON from a client is ever forwarded. Pure.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "base/strong_id.h"
#include "broker/json/json.h"
#include "broker/run/backend.h"
#include "policy/admitted_run.h"

namespace tidewaiter::docker {

// What is not in the admitted run itself.
struct ContainerRequest {
  const policy::AdmittedRun& admitted;
  const RunId& run_id;
  const BrokerId& broker_id;
  std::string_view principal;
  std::string_view image_id;         // "sha256:..."
  std::string_view network_id;       // of the run's own network; used for kIsolated only
  std::string_view seccomp_profile;  // JSON text; empty: the engine's default profile
  const run::MountSources& sources;
  bool with_stdin = false;
  bool keeps_log = false;
};

// The hardened container. `command` is the whole argv: it replaces the image's ENTRYPOINT and CMD,
// so that what was admitted is what is executed; an empty one leaves the image's own. The binds are
// not recursive: the policy has checked one path, and an engine before 25 would leave file systems
// mounted below it writable in a read-only bind. Output goes to the attached stream alone (log
// driver "none"), so that no container can fill the disk with its log; where it is to be kept, so
// much of it as log_driver.h says.
// Errors: INVALID_ARGUMENT for mounts of a kind that DockerBackend::Unsupported refuses.
Result<Json> ContainerBody(const ContainerRequest& request);

// The internal bridge network of a run whose network mode is kIsolated: no way out, neither to
// other hosts nor to services of this one.
Json NetworkBody(const policy::AdmittedRun& admitted, const RunId& run_id,
                 const BrokerId& broker_id, std::string_view principal);

}  // namespace tidewaiter::docker
