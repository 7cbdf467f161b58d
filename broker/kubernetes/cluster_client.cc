#include "broker/kubernetes/cluster_client.h"

#include <array>
#include <optional>
#include <utility>

#include "base/printable.h"
#include "broker/kubernetes/status.h"
#include "broker/run/pause.h"

namespace tidewaiter::kubernetes {
namespace {

using std::chrono::milliseconds;

constexpr std::array kRetryWaits{milliseconds(50), milliseconds(200), milliseconds(800)};

bool Is2xx(long status) {
  return status >= 200 && status < 300;
}

bool MayPass(long status) {
  return status == 429 || (status >= 500 && status < 600);
}

}  // namespace

Error InvalidAnswer(std::string_view subject, std::string_view what) {
  return Fail(ErrorCode::kInternal, std::string(subject).append(": ").append(what),
              "CLUSTER_INVALID_ANSWER");
}

ClusterClient::ClusterClient(io::HttpClient& http, ClusterAccess access, OpenWebSocket open_socket)
    : http_(http),
      open_socket_(std::move(open_socket)),
      access_(std::move(access)),
      tokens_(access_) {}

io::HttpRequest ClusterClient::Request(const ClusterCall& call, const std::string& token) {
  io::HttpRequest request;
  request.method = call.method;
  request.url = access_.server + call.path;
  request.body = call.body;
  request.tls = &access_.tls;
  request.max_response_bytes = call.max_response_bytes;
  request.headers.emplace_back("Accept",
                               call.accept.empty() ? "application/json, */*" : call.accept);
  if (!call.body.empty()) {
    request.headers.emplace_back(
        "Content-Type", call.content_type.empty() ? "application/json" : call.content_type);
  }
  if (!token.empty()) request.headers.emplace_back("Authorization", "Bearer " + token);
  ++sent_;
  return request;
}

// Nothing where there is none but the one that was refused.
Result<std::optional<std::string>> ClusterClient::FreshToken(const std::string& refused) {
  tokens_.Invalidate();
  TW_ASSIGN(std::string token, tokens_.Current());
  if (token == refused) return std::optional<std::string>();
  return std::optional(std::move(token));
}

Error ClusterClient::Unreached(const Error& cause, std::string_view subject,
                               const run::Patience& patience) {
  Error error = cause.Within(subject);
  if (cause.code == ErrorCode::kCancelled || patience.deadline.Passed()) return error;
  if (cause.code == ErrorCode::kUnavailable || cause.code == ErrorCode::kDeadlineExceeded) {
    error.code = ErrorCode::kUnavailable;
    if (error.reason != "TLS_UNTRUSTED") error.reason = "ENGINE_UNAVAILABLE";
  } else if (error.reason.empty()) {
    error.reason = "CLUSTER_INVALID_ANSWER";
  }
  return error;
}

Result<io::HttpResponse> ClusterClient::Attempt(const ClusterCall& call,
                                                const run::Patience& patience, Deadline budget) {
  TW_ASSIGN(const std::string token, tokens_.Current());
  Result<io::HttpResponse> answer = http_.Fetch(Request(call, token), patience.stop, budget);
  if (!answer || answer->status != 401) return answer;
  // It may have been renewed since it was read.
  TW_ASSIGN(const std::optional<std::string> fresh, FreshToken(token));
  if (!fresh) return answer;
  return http_.Fetch(Request(call, *fresh), patience.stop, budget);
}

Result<Json> ClusterClient::Do(const ClusterCall& call, const run::Patience& patience) {
  const Deadline budget = patience.deadline.Sooner(Deadline::After(call.budget));
  for (std::size_t attempt = 0;; ++attempt) {
    const Result<io::HttpResponse> answer = Attempt(call, patience, budget);
    if (answer && Is2xx(answer->status)) {
      std::optional<Json> body = ParseJson(answer->body);
      if (!body || !body->is_object()) return InvalidAnswer(call.subject, "no JSON object");
      return *std::move(body);
    }
    const bool safe = call.retry == ClusterCall::Retry::kSafe;
    // The API server says 429 before it has done anything (priority and fairness).
    bool again = answer ? (safe ? MayPass(answer->status) : answer->status == 429)
                        : answer.error().code == ErrorCode::kUnavailable &&
                              (safe || answer.error().Reason() == "CONNECT_FAILED");
    again = again && attempt < kRetryWaits.size();
    milliseconds wait = kRetryWaits.at(std::min(attempt, kRetryWaits.size() - 1));
    if (answer) wait = RetryAfter(answer->Header("retry-after"), answer->body).value_or(wait);
    if (!again || !run::Pause(wait, {.stop = patience.stop, .deadline = budget})) {
      if (answer) return StatusError(answer->status, answer->body, call.subject);
      return Unreached(answer.error(), call.subject, patience);
    }
  }
}

Result<void> ClusterClient::Stream(const ClusterCall& call, milliseconds silence,
                                   const run::Patience& patience,
                                   const io::StreamReceiver& receiver) {
  TW_ASSIGN(std::string token, tokens_.Current());
  for (bool again = false;; again = true) {
    io::HttpRequest request = Request(call, token);
    request.silence = silence;
    request.head_within = call.budget;
    const Result<io::HttpResponse> answer =
        http_.StreamTo(request, patience.stop, patience.deadline, receiver);
    if (!answer) return Unreached(answer.error(), call.subject, patience);
    if (Is2xx(answer->status)) return Ok();
    if (answer->status == 401 && !again) {
      TW_ASSIGN(std::optional<std::string> fresh, FreshToken(token));
      if (fresh) {
        token = *std::move(fresh);
        continue;
      }
    }
    return StatusError(answer->status, answer->body, call.subject);
  }
}

Result<std::unique_ptr<io::HttpStream>> ClusterClient::BeginStream(
    const ClusterCall& call, io::StreamReceiver receiver,
    std::function<void(Result<void>)> on_end) {
  TW_ASSIGN(const std::string token, tokens_.Current());
  io::HttpRequest request = Request(call, token);
  request.head_within = call.budget;
  const auto tell = [this, subject = call.subject,
                     on_end = std::move(on_end)](const Result<io::HttpResponse>& answer) {
    if (!answer) {
      on_end(Unreached(answer.error(), subject, {.stop = {}, .deadline = Deadline::Never()}));
    } else if (Is2xx(answer->status)) {
      on_end(Ok());
    } else {
      if (answer->status == 401) tokens_.Invalidate();
      on_end(StatusError(answer->status, answer->body, subject));
    }
  };
  return http_.Begin(std::move(request), Deadline::Never(), std::move(receiver), tell);
}

Result<std::unique_ptr<io::WebSocket>> ClusterClient::OpenSocket(const ClusterCall& call,
                                                                 std::string_view subprotocol,
                                                                 const run::Patience& patience) {
  const Deadline budget = patience.deadline.Sooner(Deadline::After(call.budget));
  TW_ASSIGN(std::string token, tokens_.Current());
  for (bool again = false;; again = true) {
    auto opened = open_socket_(Request(call, token), subprotocol, patience.stop, budget);
    if (!opened) return Unreached(opened.error(), call.subject, patience);
    if (opened->socket) return std::move(opened->socket);
    if (opened->refusal.status == 401 && !again) {
      TW_ASSIGN(std::optional<std::string> fresh, FreshToken(token));
      if (fresh) {
        token = *std::move(fresh);
        continue;
      }
    }
    return StatusError(opened->refusal.status, opened->refusal.body, call.subject);
  }
}

}  // namespace tidewaiter::kubernetes
