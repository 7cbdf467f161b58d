// What comes from a command that runs in a pod, by the subprotocol "v4.channel.k8s.io" (Kubernetes,
// apimachinery remotecommand): the first byte of each message is a channel, the rest is what was
// written there. Pure; the bytes are a stranger's.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace tidewaiter::kubernetes {

inline constexpr std::string_view kChannelProtocol = "v4.channel.k8s.io";
inline constexpr char kStdinChannel = 0;

class ExecChannels {
 public:
  // Gets what comes on stdout and stderr.
  struct Takers {
    std::function<Result<void>(std::string_view)> on_stdout;
    std::function<void(std::string_view)> on_stderr;
  };
  explicit ExecChannels(Takers takers) : takers_(std::move(takers)) {}

  // The next piece of a message; `begins`: of a new one. Errors: those of on_stdout;
  // CLUSTER_INVALID_ANSWER (no such channel, or a status of more than 64 KiB).
  Result<void> Feed(std::string_view piece, bool begins);

  // How the command ended, once that has come: EXEC_FAILED where its exit status is not 0, with the
  // cluster's words.
  [[nodiscard]] std::optional<Result<void>> end() const;

 private:
  Takers takers_;
  std::optional<char> channel_;
  std::string status_;  // a meta/v1 Status as JSON
};

}  // namespace tidewaiter::kubernetes
