// The port run::Backend on one Docker Engine. Thread-safe; every call blocks its own thread. At
// most seven calls to the engine make a run: inspect image, create, inspect, attach, start, delete,
// inspect; its exit comes by the event stream that all runs share. Never removes by a label query.
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "broker/docker/settings.h"
#include "broker/io/event_loop.h"
#include "broker/io/http_client.h"
#include "broker/run/backend.h"

namespace tidewaiter::docker {

class DockerBackend final : public run::Backend {
 public:
  // The engine need not be there yet. `loop` and `http` must outlive it, and it every Container.
  DockerBackend(io::EventLoop& loop, io::HttpClient& http, DockerSettings settings);
  ~DockerBackend() override;
  DockerBackend(const DockerBackend&) = delete;
  DockerBackend& operator=(const DockerBackend&) = delete;

  [[nodiscard]] std::string_view name() const override { return "docker"; }
  // Asks the engine (for at most 5 seconds) only where the run names a runtime or has a bind mount.
  [[nodiscard]] std::vector<policy::Violation> Unsupported(
      const policy::EffectiveRun& effective) const override;
  Result<run::ResolvedImage> Resolve(const policy::AdmittedRun& admitted,
                                     run::ImageProgressSink& progress,
                                     const run::Patience& patience) override;
  [[nodiscard]] std::vector<run::Resource> Plan(const policy::AdmittedRun& admitted,
                                                const RunId& run_id) const override;
  // The two calls that create something are waited for even where `patience.stop` is stopped
  // meanwhile (at most settings.create_timeout): whoever knows their outcome can clean up at once.
  // Further errors: ENGINE_UNSUITABLE, IMAGE_REFUSED, NAME_TAKEN.
  Result<std::unique_ptr<run::Container>> Create(const Creation& creation,
                                                 std::vector<run::Resource>& resources,
                                                 const run::Patience& patience) override;
  Result<run::Adopted> Adopt(const Former& former, const RunId& run_id,
                             const run::Patience& patience) override;
  run::Removal Remove(const run::Resource& resource, const RunId& run_id,
                      Deadline deadline) override;
  void ExpectLate(const run::Resource& resource, std::chrono::milliseconds elapsed) override;
  Result<std::vector<Owned>> ListOwned(const run::Patience& patience) override;
  Result<std::vector<Labelled>> ListLabelled(Deadline deadline) override;
  Result<std::string> Describe(Deadline deadline) override;

 private:
  struct Parts;
  const std::unique_ptr<Parts> parts_;
};

}  // namespace tidewaiter::docker
