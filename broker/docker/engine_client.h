// Calls to one Docker Engine on its Unix socket: API version, budgets, retries, and the engine's
// own words in errors. Knows HTTP and nothing of what is called (engine_api.h does). Thread-safe.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/guarded.h"
#include "base/result.h"
#include "broker/io/http_client.h"
#include "broker/json/json.h"
#include "broker/run/backend.h"

namespace tidewaiter::docker {

// What GET /version says, and which version of the API is spoken because of it.
struct EngineVersion {
  std::string engine;  // "20.10.24+dfsg1", safe to print
  int api_minor = 0;   // 41: "/v1.41/..."

  // "/v1.41".
  [[nodiscard]] std::string Prefix() const { return "/v1." + std::to_string(api_minor); }
};

struct EngineCall {
  enum class Retry {
    kSafe,           // repeating it changes nothing: again after every failure to reach the engine
    kUnlessReached,  // again only where the engine was certainly not reached
  };
  std::string method = "GET";
  std::string path{};     // after the version prefix, percent-encoded, query included
  std::string body{};     // JSON
  std::string subject{};  // for errors: "inspect container 'tw-...'", safe to print
  Retry retry = Retry::kSafe;
  std::chrono::milliseconds budget{std::chrono::seconds(30)};
  std::size_t max_response_bytes = std::size_t{4} << 20U;
  io::HttpHeaders headers{};
};

// Any status is an answer; what it means is the caller's to say.
struct EngineAnswer {
  long status = 0;
  std::string body;
};

class EngineClient {
 public:
  // API 1.41 (engine 20.10) is the oldest that has private cgroup namespaces; 1.44 (engine 25) the
  // newest whose answers this code knows, and the oldest that engine 29 still speaks.
  static constexpr int kOldestMinor = 41;
  static constexpr int kNewestMinor = 44;

  EngineClient(io::HttpClient& http, std::string socket)
      : http_(http), socket_(std::move(socket)) {}

  // Asked once, and again after the engine could not be reached: it may be another one then.
  // Errors: ENGINE_UNAVAILABLE, ENGINE_INVALID_ANSWER, ENGINE_VERSION (too old or too new).
  Result<EngineVersion> Version(const run::Patience& patience) {
    return Version(patience, Deadline::Never());
  }

  // Errors: ENGINE_UNAVAILABLE (not reached, or silent for the call's budget), DEADLINE_EXCEEDED
  // and CANCELLED (the caller's patience), ENGINE_INVALID_ANSWER (not HTTP, or too long).
  Result<EngineAnswer> Do(const EngineCall& call, const run::Patience& patience);

  // As Do with an answer without an end (io::HttpClient::Stream), whose header comes within the
  // call's budget; never retried.
  // `silence`: as io::HttpRequest::silence. The body of a 2xx answer is not in the result.
  Result<EngineAnswer> Stream(const EngineCall& call, std::chrono::milliseconds silence,
                              const run::Patience& patience, std::function<void()> on_open,
                              std::function<bool(std::string_view)> on_data);

  // As Stream, on the calling thread and at its pace: `on_data` may block. Retried until the
  // answer's header has come, as Do. The call's budget is the header's; then `silence` is allowed
  // at a time.
  Result<EngineAnswer> Read(const EngineCall& call, std::chrono::milliseconds silence,
                            const run::Patience& patience,
                            const std::function<bool(std::string_view)>& on_data);

  [[nodiscard]] const std::string& socket() const noexcept { return socket_; }

 private:
  // What `ask` answers to the version and the deadline of one attempt; tried again as call.retry
  // says.
  template <typename T>
  Result<T> Attempt(const EngineCall& call, const run::Patience& patience,
                    const std::function<Result<T>(const EngineVersion&, Deadline)>& ask);
  io::HttpRequest Request(const EngineCall& call, const EngineVersion& version) const;
  // `budget` is a call's own; `patience` its caller's.
  Result<EngineVersion> Version(const run::Patience& patience, Deadline budget);
  Result<EngineVersion> AskVersion(const run::Patience& patience, Deadline budget);
  Error Unreached(const Error& cause, std::string_view subject, const run::Patience& patience);

  io::HttpClient& http_;
  const std::string socket_;
  Guarded<std::optional<EngineVersion>> version_;
};

// Reads the answer of GET /version. Errors as Version().
Result<EngineVersion> ReadEngineVersion(std::string_view body);

// The engine's refusal as an error: `subject: the engine answers STATUS: 'message'`, the message
// escaped and cut. 404 NOT_FOUND, 409 ALREADY_EXISTS, 400 INVALID_ARGUMENT, other 4xx
// FAILED_PRECONDITION, else INTERNAL; reason ENGINE_ERROR.
Error EngineRefusal(const EngineAnswer& answer, std::string_view subject);
// The "message" of a refusal, unescaped; "" where there is none.
std::string EngineMessage(const EngineAnswer& answer);
// `subject: what`, reason ENGINE_INVALID_ANSWER.
Error InvalidAnswer(std::string_view subject, std::string_view what);

}  // namespace tidewaiter::docker
