// Keeps up with the objects of one kind that carry the broker's label: a list, and then a watch
// from where the list ended, for ever (Kubernetes API concepts, "Efficient detection of changes").
// A watch that ends is taken up again from the last change seen; where the server has forgotten
// that one (410), by a new list. One thread of its own; handlers are called one at a time, those of
// changes on the loop's thread.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/guarded.h"
#include "base/result.h"
#include "broker/json/json.h"
#include "broker/kubernetes/cluster_api.h"
#include "broker/kubernetes/settings.h"

namespace tidewaiter::kubernetes {

class Watch {
 public:
  struct Handlers {
    // A list begins, its objects follow by on_object, and it ends: what was not among them is gone.
    std::function<void()> on_list_begin;
    std::function<void(const Json&)> on_object;  // there, new or changed
    std::function<void()> on_list_end;
    std::function<void(const Json&)> on_gone;
    // The watch has been lost, or could not be opened, for so long by now. Again with each attempt.
    std::function<void(std::chrono::milliseconds, const Error&)> on_silence;
  };

  Watch(ClusterApi& api, const ObjectKind& kind, std::string query,
        const KubernetesSettings& settings, Handlers handlers);
  ~Watch();  // no handler is called afterwards
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;

  // Waits until it is open: what happens from then on is told. The error is the last attempt's;
  // one by which the cluster refuses it is told at once.
  Result<void> WaitUntilFollowing(const run::Patience& patience);
  [[nodiscard]] bool Following();

 private:
  void Loop(const std::stop_token& stop);
  // Why it ended.
  Error FollowOnce(const std::stop_token& stop);
  Result<void> Relist(const std::stop_token& stop);
  // False: begin anew.
  bool OnLine(std::string_view line);
  void OnOpen();

  struct Shared {
    bool following = false;
    std::optional<Error> last_error;
    std::chrono::steady_clock::time_point heard = std::chrono::steady_clock::now();
  };

  static bool Refused(const Shared& shared);

  ClusterApi& api_;
  const ObjectKind kind_;
  const std::string query_;
  const KubernetesSettings& settings_;
  const Handlers handlers_;
  // Of the last change seen; empty: list first. Touched by the thread while no watch is open, and
  // by the loop's thread while one is.
  std::string resource_version_;
  std::optional<Error> refused_;  // what an event of type ERROR said
  Guarded<Shared> shared_;
  std::condition_variable_any changed_;
  std::jthread thread_;  // last: it uses the others
};

}  // namespace tidewaiter::kubernetes
