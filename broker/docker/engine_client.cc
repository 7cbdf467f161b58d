#include "broker/docker/engine_client.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "base/printable.h"
#include "broker/io/http_reader.h"
#include "broker/run/pause.h"

namespace tidewaiter::docker {
namespace {

using std::chrono::milliseconds;

// Waits before the second and third attempt of a call.
constexpr std::array<milliseconds, 2> kRetryWaits{milliseconds(50), milliseconds(250)};
constexpr std::size_t kMaxMessage = 400;

// The N of "1.N".
std::optional<int> MinorOf(std::string_view version) {
  if (!version.starts_with("1.")) return std::nullopt;
  version.remove_prefix(2);
  int minor = 0;
  const auto [end, error] = std::from_chars(version.data(), version.data() + version.size(), minor);
  if (error != std::errc() || end != version.data() + version.size() || minor < 0) {
    return std::nullopt;
  }
  return minor;
}

}  // namespace

Result<EngineVersion> ReadEngineVersion(std::string_view body) {
  constexpr std::string_view kSubject = "ask the engine's version";
  const std::optional<Json> answer = ParseJson(body);
  if (!answer) return InvalidAnswer(kSubject, "the answer is no JSON");
  const std::optional<int> newest = MinorOf(TextAt(*answer, "ApiVersion"));
  const std::optional<int> oldest = MinorOf(TextAt(*answer, "MinAPIVersion"));
  if (!newest || !oldest) return InvalidAnswer(kSubject, "the answer names no API version");
  if (*newest < EngineClient::kOldestMinor || *oldest > EngineClient::kNewestMinor) {
    return Fail(ErrorCode::kFailedPrecondition,
                std::string(kSubject) + ": it speaks API 1." + std::to_string(*oldest) + " to 1." +
                    std::to_string(*newest) + ", 1." + std::to_string(EngineClient::kOldestMinor) +
                    " to 1." + std::to_string(EngineClient::kNewestMinor) + " is needed",
                "ENGINE_VERSION");
  }
  return EngineVersion{.engine = Printable(TextAt(*answer, "Version"), 60),
                       .api_minor = std::min(*newest, EngineClient::kNewestMinor)};
}

Result<EngineVersion> EngineClient::Version(const run::Patience& patience, Deadline budget) {
  if (const std::optional<EngineVersion> known = *version_.Lock(); known) return *known;
  TW_ASSIGN(EngineVersion version, AskVersion(patience, budget));
  *version_.Lock() = version;
  return version;
}

Result<EngineVersion> EngineClient::AskVersion(const run::Patience& patience, Deadline budget) {
  constexpr std::string_view kSubject = "ask the engine's version";
  io::HttpRequest request;
  request.url = "http://docker/version";
  request.unix_socket = socket_;
  budget = budget.Sooner(patience.deadline).Sooner(Deadline::After(std::chrono::seconds(10)));
  for (std::size_t attempt = 0;; ++attempt) {
    Result<io::HttpResponse> answer = http_.Fetch(request, patience.stop, budget);
    if (answer) {
      if (answer->status != 200) {
        return EngineRefusal({.status = answer->status, .body = answer->body}, kSubject);
      }
      return ReadEngineVersion(answer->body);
    }
    const bool again =
        answer.error().code == ErrorCode::kUnavailable && attempt < kRetryWaits.size();
    if (!again ||
        !run::Pause(kRetryWaits.at(attempt), {.stop = patience.stop, .deadline = budget})) {
      return Unreached(answer.error(), kSubject, patience);
    }
  }
}

io::HttpRequest EngineClient::Request(const EngineCall& call, const EngineVersion& version) const {
  io::HttpRequest request;
  request.method = call.method;
  request.url = "http://docker" + version.Prefix() + call.path;
  request.unix_socket = socket_;
  request.headers = call.headers;
  if (!call.body.empty()) request.headers.emplace_back("Content-Type", "application/json");
  request.body = call.body;
  request.max_response_bytes = call.max_response_bytes;
  return request;
}

template <typename T>
Result<T> EngineClient::Attempt(
    const EngineCall& call, const run::Patience& patience,
    const std::function<Result<T>(const EngineVersion&, Deadline)>& ask) {
  const run::Patience budget{.stop = patience.stop,
                             .deadline = patience.deadline.Sooner(Deadline::After(call.budget))};
  for (std::size_t attempt = 0;; ++attempt) {
    TW_ASSIGN(const EngineVersion version, Version(patience, budget.deadline));
    Result<T> answer = ask(version, budget.deadline);
    if (answer) return answer;
    const bool again =
        answer.error().code == ErrorCode::kUnavailable && attempt < kRetryWaits.size() &&
        (call.retry == EngineCall::Retry::kSafe || answer.error().Reason() == "CONNECT_FAILED");
    const Error error = Unreached(answer.error(), call.subject, patience);
    if (!again || !run::Pause(kRetryWaits.at(attempt), budget)) return error;
  }
}

Result<EngineAnswer> EngineClient::Do(const EngineCall& call, const run::Patience& patience) {
  TW_ASSIGN(io::HttpResponse answer,
            Attempt<io::HttpResponse>(
                call, patience, [&](const EngineVersion& version, Deadline deadline) {
                  return http_.Fetch(Request(call, version), patience.stop, deadline);
                }));
  return EngineAnswer{.status = answer.status, .body = std::move(answer.body)};
}

Result<EngineAnswer> EngineClient::Read(const EngineCall& call, milliseconds silence,
                                        const run::Patience& patience,
                                        const std::function<bool(std::string_view)>& on_data) {
  TW_ASSIGN(
      io::HttpReader reader,
      Attempt<io::HttpReader>(call, patience, [&](const EngineVersion& version, Deadline deadline) {
        return io::HttpReader::Get(socket_, version.Prefix() + call.path, patience.stop, deadline);
      }));
  bool wanted = true;
  while (wanted) {
    const Result<bool> more =
        reader.Read([&](std::string_view data) { wanted = wanted && on_data(data); },
                    patience.deadline.Sooner(Deadline::After(silence)));
    if (!more) return Unreached(more.error(), call.subject, patience);
    if (!*more) break;
  }
  return EngineAnswer{.status = reader.status(), .body = reader.refusal()};
}

Result<EngineAnswer> EngineClient::Stream(const EngineCall& call, milliseconds silence,
                                          const run::Patience& patience,
                                          std::function<void()> on_open,
                                          std::function<bool(std::string_view)> on_data) {
  TW_ASSIGN(const EngineVersion version, Version(patience, Deadline::After(call.budget)));
  io::HttpRequest request = Request(call, version);
  request.silence = silence;
  request.head_within = call.budget;
  Result<io::HttpResponse> answer = http_.Stream(request, patience.stop, patience.deadline,
                                                 std::move(on_open), std::move(on_data));
  if (!answer) return Unreached(answer.error(), call.subject, patience);
  return EngineAnswer{.status = answer->status, .body = std::move(answer->body)};
}

Error EngineClient::Unreached(const Error& cause, std::string_view subject,
                              const run::Patience& patience) {
  Error error = cause.Within(subject);
  switch (cause.code) {
    case ErrorCode::kCancelled: return error;
    case ErrorCode::kDeadlineExceeded:
      if (patience.deadline.Passed()) return error;
      // The call's own budget, not the caller's: to the caller the engine is simply not there.
      [[fallthrough]];
    case ErrorCode::kUnavailable:
      *version_.Lock() = std::nullopt;
      error.code = ErrorCode::kUnavailable;
      error.reason = "ENGINE_UNAVAILABLE";
      return error;
    default: error.reason = "ENGINE_INVALID_ANSWER"; return error;
  }
}

std::string EngineMessage(const EngineAnswer& answer) {
  const std::optional<Json> body = ParseJson(answer.body);
  return body ? TextAt(*body, "message") : std::string();
}

Error EngineRefusal(const EngineAnswer& answer, std::string_view subject) {
  ErrorCode code = ErrorCode::kInternal;
  if (answer.status == 404) {
    code = ErrorCode::kNotFound;
  } else if (answer.status == 409) {
    code = ErrorCode::kAlreadyExists;
  } else if (answer.status == 400) {
    code = ErrorCode::kInvalidArgument;
  } else if (answer.status >= 400 && answer.status < 500) {
    code = ErrorCode::kFailedPrecondition;
  }
  const std::string message = EngineMessage(answer);
  return Fail(code,
              std::string(subject) + ": the engine answers " + std::to_string(answer.status) +
                  (message.empty() ? "" : ": " + Quoted(message, kMaxMessage)),
              "ENGINE_ERROR");
}

Error InvalidAnswer(std::string_view subject, std::string_view what) {
  return Fail(ErrorCode::kInternal, std::string(subject).append(": ").append(what),
              "ENGINE_INVALID_ANSWER");
}

}  // namespace tidewaiter::docker
