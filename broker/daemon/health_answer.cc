#include "broker/daemon/health_answer.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <vector>

#include "broker/io/http_head.h"

namespace tidewaiter::daemon {
namespace {

enum class State { kOk, kDegraded, kFailed };

std::string_view ToString(State state) noexcept {
  switch (state) {
    case State::kOk: return "ok";
    case State::kDegraded: return "degraded";
    case State::kFailed: return "failed";
  }
  return {};
}

// Every text is one of the few below: none needs to be escaped.
struct Check {
  std::string_view name;
  State state = State::kOk;
  std::string detail{};
};

struct Answer {
  int status = 200;
  std::string_view type = "application/json; charset=utf-8";
  std::string body;
};

Check CheckThat(bool well, std::string_view name, State otherwise, std::string detail) {
  return well ? Check{.name = name}
              : Check{.name = name, .state = otherwise, .detail = std::move(detail)};
}

std::vector<Check> Liveness(const HealthReport& report) {
  return {CheckThat(report.loop_turns, "loop", State::kFailed, "does not turn")};
}

std::vector<Check> Readiness(const HealthReport& report) {
  return {CheckThat(!report.stopping, "shutdown", State::kFailed, "the broker is stopping"),
          CheckThat(report.audit_works, "audit", State::kFailed, "records cannot be written"),
          CheckThat(report.engine_answers, "engine", State::kDegraded, "does not answer"),
          CheckThat(report.overdue == 0 && report.compares, "reaper", State::kDegraded,
                    fmt::format("{} removal(s) overdue{}", report.overdue,
                                report.compares ? "" : ", the comparison with the engine fails"))};
}

std::string ToJson(State whole, const std::vector<Check>& checks) {
  std::string json = fmt::format(R"({{"status":"{}","checks":[)", ToString(whole));
  for (const Check& check : checks) {
    if (json.back() == '}') json += ',';
    json += fmt::format(R"({{"name":"{}","status":"{}")", check.name, ToString(check.state));
    if (!check.detail.empty()) json += fmt::format(R"(,"detail":"{}")", check.detail);
    json += '}';
  }
  return json + "]}\n";
}

std::string ToText(std::string_view endpoint, State whole, const std::vector<Check>& checks) {
  std::string text;
  for (const Check& check : checks) {
    text += fmt::format("[{}]{} {}", check.state == State::kFailed ? '-' : '+', check.name,
                        ToString(check.state));
    text += check.detail.empty() ? "\n" : ": " + check.detail + "\n";
  }
  return text +
         fmt::format("{} check {}\n", endpoint, whole == State::kFailed ? "failed" : "passed");
}

// A key of that name, with a value or without one.
bool AsksVerbose(std::string_view query) {
  while (!query.empty()) {
    const std::string_view part = query.substr(0, query.find('&'));
    if (part.substr(0, part.find('=')) == "verbose") return true;
    query.remove_prefix(std::min(part.size() + 1, query.size()));
  }
  return false;
}

Answer ToAnswer(const io::HttpRequestHead& request, const std::vector<Check>& checks) {
  State whole = State::kOk;
  for (const Check& check : checks) whole = std::max(whole, check.state);
  Answer answer{.status = whole == State::kFailed ? 503 : 200, .body = {}};
  if (AsksVerbose(request.query)) {
    answer.type = "text/plain; charset=utf-8";
    answer.body = ToText(std::string_view(request.path).substr(1), whole, checks);
  } else {
    answer.body = ToJson(whole, checks);
  }
  return answer;
}

Answer Refusal(int status, std::string_view error) {
  return {.status = status, .body = fmt::format("{{\"error\":\"{}\"}}\n", error)};
}

std::string_view ReasonOf(int status) noexcept {
  switch (status) {
    case 200: return "OK";
    case 400: return "Bad Request";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 431: return "Request Header Fields Too Large";
    case 503: return "Service Unavailable";
    default: return "";
  }
}

std::string ToHttp(const Answer& answer, bool with_body) {
  return fmt::format(
      "HTTP/1.1 {} {}\r\nContent-Type: {}\r\nContent-Length: {}\r\nCache-Control: no-store\r\n"
      "X-Content-Type-Options: nosniff\r\nConnection: close\r\n{}\r\n{}",
      answer.status, ReasonOf(answer.status), answer.type, answer.body.size(),
      answer.status == 405 ? "Allow: GET, HEAD\r\n" : "", with_body ? answer.body : "");
}

// RFC 9112, 3.2: exactly one since HTTP/1.1.
bool HasItsHost(const io::HttpRequestHead& request) {
  const auto hosts = std::count_if(request.headers.begin(), request.headers.end(),
                                   [](const auto& field) { return field.first == "host"; });
  return hosts == 1 || (hosts == 0 && request.minor == 0);
}

Answer Decide(const io::HttpRequestHead& request, const HealthReport& report) {
  if (!HasItsHost(request)) return Refusal(400, "HTTP/1.1 asks for one Host");
  const bool live = request.path == "/healthz";
  if (!live && request.path != "/readyz") return Refusal(404, "there are /healthz and /readyz");
  if (request.method != "GET" && request.method != "HEAD") {
    return Refusal(405, "GET and HEAD alone");
  }
  return ToAnswer(request, live ? Liveness(report) : Readiness(report));
}

}  // namespace

std::string AnswerProbe(std::string_view head, const HealthReport& report) {
  const std::optional<io::HttpRequestHead> request = io::ParseHttpRequestHead(head);
  if (!request) return ToHttp(Refusal(400, "this is no request of HTTP/1.0 or 1.1"), true);
  return ToHttp(Decide(*request, report), request->method != "HEAD");
}

std::string AnswerHeadTooLong() {
  return ToHttp(Refusal(431, "the head is longer than 8 KiB"), true);
}

}  // namespace tidewaiter::daemon
