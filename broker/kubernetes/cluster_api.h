// The calls that the backend makes, on the objects of one namespace. One HTTP request each, but for
// lists of many. Thread-safe; blocks the calling thread. Errors as ClusterClient::Do.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "broker/json/json.h"
#include "broker/kubernetes/cluster_client.h"
#include "broker/kubernetes/exec_channels.h"
#include "broker/kubernetes/settings.h"
#include "broker/run/backend.h"

namespace tidewaiter::kubernetes {

// A kind of object, as its URL and our messages name it.
struct ObjectKind {
  std::string_view group;   // "/apis/batch/v1"
  std::string_view plural;  // "jobs"
  std::string_view name;    // "job"
};
inline constexpr ObjectKind kJobs{"/apis/batch/v1", "jobs", "job"};
inline constexpr ObjectKind kPods{"/api/v1", "pods", "pod"};
inline constexpr ObjectKind kSecrets{"/api/v1", "secrets", "secret"};
inline constexpr ObjectKind kEvents{"/api/v1", "events", "event"};
inline constexpr ObjectKind kNetworkPolicies{"/apis/networking.k8s.io/v1", "networkpolicies",
                                             "network policy"};

class ClusterApi {
 public:
  // Both must outlive it.
  ClusterApi(ClusterClient& client, const KubernetesSettings& settings)
      : client_(client), settings_(settings) {}

  // POST. The object as the cluster has it. Tried again only where the cluster was not reached.
  Result<Json> Create(const ObjectKind& kind, const Json& body, const run::Patience& patience);
  // The same as a dry run: all checks, and nothing is kept.
  Result<Json> TryCreate(const ObjectKind& kind, const Json& body, const run::Patience& patience);
  // Nothing: there is none of that name.
  Result<std::optional<Json>> Read(const ObjectKind& kind, std::string_view name,
                                   const run::Patience& patience);
  // A merge patch (RFC 7386), which may be applied twice.
  Result<Json> Patch(const ObjectKind& kind, std::string_view name, const Json& patch,
                     const run::Patience& patience);

  struct Deletion {
    std::string_view propagation = "Background";  // meta/v1 DeletionPropagation
    std::string uid;                              // of the object meant; empty: any of that name
    std::optional<std::int64_t> grace_seconds;    // pods; never 0, which forgets a running pod
    bool doubt_absence = false;  // that there is none is believed once a look says so, too
  };
  // True: it is gone from the cluster's store, or was before; false: it is being deleted.
  Result<bool> Delete(const ObjectKind& kind, std::string_view name, const Deletion& deletion,
                      const run::Patience& patience);

  // Every object that `query` ("labelSelector=..." or "fieldSelector=...") selects, in pages. The
  // list's resourceVersion.
  Result<std::string> List(const ObjectKind& kind, std::string_view query,
                           const run::Patience& patience,
                           const std::function<void(const Json&)>& on_item);

  // The same of their metadata alone (meta/v1 PartialObjectMetadata): Secrets are large.
  Result<std::string> ListMetadata(const ObjectKind& kind, std::string_view query,
                                   const run::Patience& patience,
                                   const std::function<void(const Json&)>& on_item);

  // The changes after `resource_version`, one JSON object a line; bookmarks among them. Until the
  // server ends it, after some minutes.
  Result<void> Watch(const ObjectKind& kind, std::string_view query,
                     std::string_view resource_version, const run::Patience& patience,
                     const io::StreamReceiver& receiver);

  // The output of a container from its beginning: stdout and stderr as one. With `follow` until it
  // ends. Does not wait; see ClusterClient::BeginStream.
  Result<std::unique_ptr<io::HttpStream>> BeginLog(std::string_view pod, std::string_view container,
                                                   bool follow, io::StreamReceiver receiver,
                                                   std::function<void(Result<void>)> on_end);

  // Runs a command in a container of a pod and gives on what it writes, until it has ended: nothing
  // is read while a taker is at work. `answer`: asked after each message, until it has an answer:
  // the command's stdin gets that, a few bytes, and it has to end soon. Where it is not set there
  // is no stdin. Errors besides Do's: EXEC_FAILED (its exit status), EXEC_BROKEN (cut off before it
  // was known), on_stdout's.
  Result<void> Exec(std::string_view pod, std::string_view container,
                    const std::vector<std::string>& command, ExecChannels::Takers takers,
                    const std::function<std::string()>& answer, const run::Patience& patience);

  // Attaches to a container's stdin alone. What is sent has kStdinChannel before it; the end of the
  // connection is the end of stdin.
  Result<std::unique_ptr<io::WebSocket>> AttachStdin(std::string_view pod,
                                                     std::string_view container,
                                                     const run::Patience& patience);

  // The server's version ("v1.20.2"). Error: CLUSTER_VERSION where it is older than 1.20.
  Result<std::string> Version(const run::Patience& patience);

  // Whether the broker's own identity may do so (authorization.k8s.io/v1 SelfSubjectAccessReview).
  struct Right {
    std::string_view verb;         // "create"
    std::string_view api_group;    // "" is the core group
    std::string_view resource;     // "pods"
    std::string_view subresource;  // "log", or ""
  };
  Result<bool> May(const Right& right, const run::Patience& patience);

 private:
  Result<std::string> ListAs(std::string_view accept, const ObjectKind& kind,
                             std::string_view query, const run::Patience& patience,
                             const std::function<void(const Json&)>& on_item);
  [[nodiscard]] std::string Path(const ObjectKind& kind, std::string_view name = {}) const;
  [[nodiscard]] ClusterCall Call(std::string method, std::string path, std::string subject) const;

  ClusterClient& client_;
  const KubernetesSettings& settings_;
};

// The oldest version whose API this code knows: "v1.20".
inline constexpr int kOldestMinor = 20;

}  // namespace tidewaiter::kubernetes
