// Calls to one cluster's API server: addresses, credentials, budgets, retries, and its own words in
// errors. Knows HTTP and nothing of what is called (cluster_api.h does). Thread-safe; blocks the
// calling thread.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "broker/io/http_client.h"
#include "broker/io/websocket.h"
#include "broker/json/json.h"
#include "broker/kubernetes/kubeconfig.h"
#include "broker/kubernetes/token_source.h"
#include "broker/run/backend.h"

namespace tidewaiter::kubernetes {

struct ClusterCall {
  enum class Retry {
    kSafe,           // repeating it changes nothing: again after every failure to reach the cluster
    kUnlessReached,  // again only where the cluster was certainly not reached
  };
  std::string method = "GET";
  std::string path{};          // from the server's root, percent-encoded, query included
  std::string body{};          // JSON
  std::string content_type{};  // empty: application/json
  std::string accept{};        // likewise
  std::string subject{};       // for errors: "create job 'tw-...'", safe to print
  Retry retry = Retry::kSafe;
  std::chrono::milliseconds budget{std::chrono::seconds(30)};
  std::size_t max_response_bytes = std::size_t{8} << 20U;
};

class ClusterClient {
 public:
  // io::WebSocket::Open, or what stands in for it.
  using OpenWebSocket = std::function<Result<io::WebSocket::Opened>(
      const io::HttpRequest&, std::string_view subprotocol, const std::stop_token&, Deadline)>;

  // `http` must outlive it.
  ClusterClient(io::HttpClient& http, ClusterAccess access,
                OpenWebSocket open_socket = io::WebSocket::Open);

  // The object in a 2xx answer. Errors: those of StatusError; ENGINE_UNAVAILABLE (not reached, or
  // silent for the call's budget), DEADLINE_EXCEEDED and CANCELLED (the caller's patience),
  // CLUSTER_INVALID_ANSWER (no JSON object, or too long). A 401 is answered with a fresh token
  // once; 429 and 5xx are tried again where the call may be repeated.
  Result<Json> Do(const ClusterCall& call, const run::Patience& patience);

  // An answer without an end, which is not JSON as a whole (a watch, a log). Blocks until it ends;
  // the receiver as for io::HttpClient::StreamTo. `silence`: how long nothing may come; the header
  // within the call's budget. Never retried. Errors as Do.
  Result<void> Stream(const ClusterCall& call, std::chrono::milliseconds silence,
                      const run::Patience& patience, const io::StreamReceiver& receiver);

  // The same without waiting: `on_end` is called once, on the HTTP client's loop; see
  // HttpClient::Begin. Reads the token's file, where it is due. A 401 is an error, after which the
  // token is read anew.
  Result<std::unique_ptr<io::HttpStream>> BeginStream(const ClusterCall& call,
                                                      io::StreamReceiver receiver,
                                                      std::function<void(Result<void>)> on_end);

  // A WebSocket to what the call names. Never retried, but for a fresh token. Errors as Do.
  Result<std::unique_ptr<io::WebSocket>> OpenSocket(const ClusterCall& call,
                                                    std::string_view subprotocol,
                                                    const run::Patience& patience);

  [[nodiscard]] const std::string& server() const noexcept { return access_.server; }
  // How many requests were sent, attempts included. For tests and benchmarks.
  [[nodiscard]] std::uint64_t sent() const noexcept { return sent_; }

 private:
  io::HttpRequest Request(const ClusterCall& call, const std::string& token);
  Result<std::optional<std::string>> FreshToken(const std::string& refused);
  Result<io::HttpResponse> Attempt(const ClusterCall& call, const run::Patience& patience,
                                   Deadline budget);
  Error Unreached(const Error& cause, std::string_view subject, const run::Patience& patience);

  io::HttpClient& http_;
  const OpenWebSocket open_socket_;
  const ClusterAccess access_;
  TokenSource tokens_;
  std::atomic<std::uint64_t> sent_ = 0;
};

// `subject: what`, reason CLUSTER_INVALID_ANSWER.
Error InvalidAnswer(std::string_view subject, std::string_view what);

}  // namespace tidewaiter::kubernetes
