// The bearer token that goes with a request: a fixed one, or one in a file that somebody renews, as
// the kubelet does for a pod. Thread-safe.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/deadline.h"
#include "base/guarded.h"
#include "base/result.h"
#include "broker/kubernetes/kubeconfig.h"

namespace tidewaiter::kubernetes {

inline constexpr std::size_t kMaxTokenBytes = std::size_t{16} << 10U;

// `text` without the white space around it. Errors: INVALID_ARGUMENT (CLUSTER_TOKEN) where nothing
// is left, it is longer than kMaxTokenBytes, or has what a header's value must not have (anything
// but visible ASCII). No error shows it.
Result<std::string> CheckToken(std::string_view text);

class TokenSource {
 public:
  using Now = std::function<Deadline::Clock::time_point()>;

  // The token or token_file of `access`. The file is not read yet.
  explicit TokenSource(const ClusterAccess& access, Now now = &Deadline::Clock::now);

  // The token, or "" where `access` has none. A file is read again when a minute has passed since
  // (client-go, transport/token_source.go). Where that fails, the last good token goes on: whoever
  // renews it may be at it. Errors: those of ReadCredentialFile and CheckToken, where there has
  // never been a good one.
  Result<std::string> Current();

  // The token was refused (401): a file is read again at the next call. Harmless at any time, and
  // on any thread: it does not wait for a file.
  void Invalidate();

  // Why the file could not be read the last time; nothing where it could.
  std::optional<Error> Problem();

 private:
  struct State {
    std::string token;
    std::optional<Deadline::Clock::time_point> read_again;  // nothing: at the next call
    std::optional<Error> problem;
  };
  Result<std::string> Read() const;

  const std::string file_;
  const Now now_;
  Guarded<State> state_;
  std::atomic<bool> refused_{false};  // since it was last asked for
};

}  // namespace tidewaiter::kubernetes
