// The calls of the Docker Engine API that the broker makes, one function each, with typed answers.
// Blocks the calling thread; thread-safe. Errors are those of EngineClient::Do, plus ENGINE_ERROR
// for a refusal and ENGINE_INVALID_ANSWER for an answer of another shape.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "broker/docker/engine_client.h"
#include "broker/docker/settings.h"
#include "broker/json/json.h"
#include "broker/run/backend.h"

namespace tidewaiter::docker {

// What GET /info says about what this engine can enforce.
struct EngineInfo {
  std::vector<std::string> runtimes;
  std::string data_folder;  // absolute and normal; "" where it says none
  bool runs_linux = false;
  // Filters containers by its built-in seccomp profile, or one that its administrator chose.
  bool seccomp = false;
  // Has the log driver "local".
  bool keeps_logs = false;
};

// Whether `text` is an id as this engine makes them: 64 lower-case hex digits.
bool IsEngineId(std::string_view text) noexcept;

class EngineApi {
 public:
  EngineApi(EngineClient& client, const DockerSettings& settings)
      : client_(client), settings_(settings) {}

  Result<EngineVersion> Version(const run::Patience& patience) { return client_.Version(patience); }
  Result<EngineInfo> Info(const run::Patience& patience);
  // Whether the engine answers at all, within settings.check_timeout.
  Result<void> Ping(const run::Patience& patience);

  // Nothing where there is none. `reference`: an image id, NAME:TAG or NAME@DIGEST.
  Result<std::optional<Json>> InspectImage(std::string_view reference,
                                           const run::Patience& patience);

  // The new id. ALREADY_EXISTS where the name is taken.
  Result<std::string> CreateNetwork(const Json& body, const run::Patience& patience);
  Result<std::string> CreateContainer(std::string_view name, const Json& body,
                                      const run::Patience& patience);

  // Nothing where there is none. `which`: an id or a name.
  Result<std::optional<Json>> InspectNetwork(std::string_view which, const run::Patience& patience);
  Result<std::optional<Json>> InspectContainer(std::string_view which,
                                               const run::Patience& patience);

  // The engine's answer as it is: 204 and 304 mean that it runs, others say why not. Never sent
  // twice: a container that has already run must not run again.
  Result<EngineAnswer> StartContainer(std::string_view id, const run::Patience& patience);

  // False: it was not running, or was gone, before the signal could reach it. `signal`: "SIGTERM"
  // or "SIGKILL".
  Result<bool> KillContainer(std::string_view id, std::string_view signal,
                             const run::Patience& patience);

  // True: removed, or was not there. False: the engine is not able to yet (removal in progress,
  // endpoints in use); ask again. Containers go with force and their anonymous volumes.
  Result<bool> DeleteContainer(std::string_view id, const run::Patience& patience);
  Result<bool> DeleteNetwork(std::string_view id, const run::Patience& patience);

  // Containers on one page of a list: fewer where they take more than one answer may.
  static constexpr std::size_t kMostOnPage = 1024;

  // Tells of each container that carries `label` ("name" or "name=value"), running or not, once,
  // the newest first. However long the whole list is: it is read in pages. Of one that is made or
  // removed meanwhile it may tell or not. After an error it has told of a part.
  Result<void> ListContainers(std::string_view label, const run::Patience& patience,
                              const std::function<void(const Json&)>& on_container);
  Result<Json> ListNetworks(std::string_view label, const run::Patience& patience);

  // The `die`, `oom` and `destroy` events of containers that carry `label`, a JSON object per line,
  // until on_data (on the loop's thread) returns false or the stream breaks. `since`:
  // SECONDS.NANOSECONDS by the engine's clock, or empty for from now on. The stream opens within
  // settings.check_timeout, or that is an error; afterwards it may stay silent for ever.
  Result<void> StreamEvents(std::string_view label, std::string_view since,
                            const run::Patience& patience, std::function<void()> on_open,
                            std::function<bool(std::string_view)> on_data);

  // What the engine has kept of a container's output, as log_messages.h describes it, on the
  // calling thread and at its pace, until `on_data` returns false. `since`: as StreamEvents.
  // `silence`: how long the engine may take to find something to answer. NOT_FOUND where there is
  // no container.
  Result<void> ReadLog(std::string_view id, std::string_view since,
                       std::chrono::milliseconds silence, const run::Patience& patience,
                       const std::function<bool(std::string_view)>& on_data);

  // Pulls `name` at `tag` (a tag or a digest). `auth`: X-Registry-Auth, or empty. `on_data` gets
  // progress as JSON lines, an error among them where it fails after it began. Other than 200 is
  // IMAGE_UNAVAILABLE.
  Result<void> PullImage(std::string_view name, std::string_view tag, const std::string& auth,
                         const run::Patience& patience,
                         std::function<bool(std::string_view)> on_data);

  // For io::DuplexStream: where the container's streams are.
  Result<std::string> AttachTarget(std::string_view id, bool with_stdin,
                                   const run::Patience& patience);
  [[nodiscard]] const std::string& socket() const noexcept { return client_.socket(); }

 private:
  Result<std::optional<Json>> Inspect(std::string path, std::string subject, std::size_t most,
                                      const run::Patience& patience);
  Result<Json> List(std::string path, std::string subject, const run::Patience& patience);
  // `label`: or empty. `before`: an id, or empty.
  Result<Json> ListPage(std::string_view label, std::string_view before, std::size_t most,
                        const run::Patience& patience);
  Result<bool> IsListed(std::string_view id, const run::Patience& patience);
  Result<std::string> Create(EngineCall call, const run::Patience& patience);

  EngineClient& client_;
  const DockerSettings& settings_;
};

}  // namespace tidewaiter::docker
