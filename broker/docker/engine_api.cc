#include "broker/docker/engine_api.h"

#include <algorithm>
#include <filesystem>
#include <set>
#include <utility>

#include "base/printable.h"
#include "broker/io/url.h"

namespace tidewaiter::docker {
namespace {

using Retry = EngineCall::Retry;

// The engine repeats what a run asked for, and its image, in JSON, where a control character takes
// six bytes. Of one container it tells, when inspected: the command twice (256 KiB, or the
// image's), the environment (256 KiB, and the image's), labels (16 KiB, and the image's), up to 64
// mounts twice (two paths each) and a seccomp profile (a file of 1 MiB). What is an image's fits
// into the 4 MiB that are read of the image.
constexpr std::size_t kMaxOfImage = std::size_t{4} << 20U;
constexpr std::size_t kMaxOfContainer = std::size_t{32} << 20U;
constexpr std::size_t kMaxOfNetwork = std::size_t{4} << 20U;
// In a list each is shorter: the command once, no environment, no profile. Still some 40 of the
// longest commands fill it, and any number of containers may be there.
constexpr std::size_t kMaxList = std::size_t{64} << 20U;
constexpr std::size_t kMostListed = 100'000;
constexpr std::string_view kListContainers = "list containers of brokers";

std::string Subject(std::string_view verb, std::string_view object) {
  return std::string(verb) + " " + Quoted(object, 200);
}

// An absolute path without "." and ".." and a slash at its end; "" where it is none.
std::string Folder(const std::string& path) {
  if (!path.starts_with('/')) return {};
  std::string normal = std::filesystem::path(path).lexically_normal().string();
  while (normal.size() > 1 && normal.ends_with('/')) normal.pop_back();
  return normal;
}

// {"label":["name=value"]} and the like, as a query value.
std::string Filters(const Json& filters) {
  return io::UrlEncode(JsonText(filters).value_or("{}"));
}

}  // namespace

bool IsEngineId(std::string_view text) noexcept {
  return text.size() == 64 && std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

Result<EngineInfo> EngineApi::Info(const run::Patience& patience) {
  const std::string subject = "ask what the engine can do";
  TW_ASSIGN(const EngineAnswer answer,
            client_.Do({.path = "/info", .subject = subject, .budget = settings_.call_timeout},
                       patience));
  if (answer.status != 200) return EngineRefusal(answer, subject);
  const std::optional<Json> info = ParseJson(answer.body);
  if (!info || !info->is_object()) return InvalidAnswer(subject, "the answer is no JSON object");
  EngineInfo out;
  out.data_folder = Folder(TextAt(*info, "DockerRootDir"));
  out.runs_linux = TextAt(*info, "OSType") == "linux";
  if (const Json& runtimes = At(*info, {"Runtimes"}); runtimes.is_object()) {
    for (const auto& [name, ignored] : runtimes.items()) out.runtimes.push_back(name);
  }
  const auto drivers = AsStrings(At(*info, {"Plugins", "Log"}));
  for (const std::string& driver : drivers.value_or(std::vector<std::string>{})) {
    if (driver == "local") out.keeps_logs = true;
  }
  const auto options = AsStrings(At(*info, {"SecurityOptions"}));
  for (const std::string& option : options.value_or(std::vector<std::string>{})) {
    if (option.starts_with("name=seccomp") && option.find("unconfined") == std::string::npos) {
      out.seccomp = true;
    }
  }
  return out;
}

Result<void> EngineApi::Ping(const run::Patience& patience) {
  const std::string subject = "ping the engine";
  TW_ASSIGN(const EngineAnswer answer,
            client_.Do({.path = "/_ping", .subject = subject, .budget = settings_.check_timeout},
                       patience));
  if (answer.status != 200) return EngineRefusal(answer, subject);
  return Ok();
}

Result<std::optional<Json>> EngineApi::Inspect(std::string path, std::string subject,
                                               std::size_t most, const run::Patience& patience) {
  TW_ASSIGN(const EngineAnswer answer, client_.Do({.path = std::move(path),
                                                   .subject = subject,
                                                   .budget = settings_.call_timeout,
                                                   .max_response_bytes = most},
                                                  patience));
  if (answer.status == 404) return std::optional<Json>();
  if (answer.status != 200) return EngineRefusal(answer, subject);
  std::optional<Json> body = ParseJson(answer.body);
  if (!body || !body->is_object()) return InvalidAnswer(subject, "the answer is no JSON object");
  return body;
}

Result<std::optional<Json>> EngineApi::InspectImage(std::string_view reference,
                                                    const run::Patience& patience) {
  return Inspect("/images/" + io::UrlEncode(reference, true) + "/json",
                 Subject("inspect image", reference), kMaxOfImage, patience);
}

Result<std::optional<Json>> EngineApi::InspectNetwork(std::string_view which,
                                                      const run::Patience& patience) {
  return Inspect("/networks/" + io::UrlEncode(which), Subject("inspect network", which),
                 kMaxOfNetwork, patience);
}

Result<std::optional<Json>> EngineApi::InspectContainer(std::string_view which,
                                                        const run::Patience& patience) {
  return Inspect("/containers/" + io::UrlEncode(which) + "/json",
                 Subject("inspect container", which), kMaxOfContainer, patience);
}

Result<std::string> EngineApi::Create(EngineCall call, const run::Patience& patience) {
  call.method = "POST";
  call.retry = Retry::kUnlessReached;
  call.budget = settings_.create_timeout;
  TW_ASSIGN(const EngineAnswer answer, client_.Do(call, patience));
  if (answer.status != 201) return EngineRefusal(answer, call.subject);
  const std::optional<Json> body = ParseJson(answer.body);
  std::string id = body ? TextAt(*body, "Id") : std::string();
  if (!IsEngineId(id)) return InvalidAnswer(call.subject, "the answer names no id");
  return id;
}

Result<std::string> EngineApi::CreateNetwork(const Json& body, const run::Patience& patience) {
  TW_ASSIGN(std::string text, JsonText(body));
  return Create({.path = "/networks/create",
                 .body = std::move(text),
                 .subject = Subject("create network", TextAt(body, "Name")),
                 .headers = {}},
                patience);
}

Result<std::string> EngineApi::CreateContainer(std::string_view name, const Json& body,
                                               const run::Patience& patience) {
  TW_ASSIGN(std::string text, JsonText(body));
  return Create({.path = "/containers/create?name=" + io::UrlEncode(name),
                 .body = std::move(text),
                 .subject = Subject("create container", name),
                 .headers = {}},
                patience);
}

Result<EngineAnswer> EngineApi::StartContainer(std::string_view id, const run::Patience& patience) {
  return client_.Do({.method = "POST",
                     .path = "/containers/" + io::UrlEncode(id) + "/start",
                     .subject = Subject("start container", id),
                     .retry = Retry::kUnlessReached,
                     .budget = settings_.start_timeout},
                    patience);
}

Result<bool> EngineApi::KillContainer(std::string_view id, std::string_view signal,
                                      const run::Patience& patience) {
  EngineCall call{
      .method = "POST",
      .path = "/containers/" + io::UrlEncode(id) + "/kill?signal=" + io::UrlEncode(signal),
      .subject = Subject("signal container", id),
      .retry = Retry::kUnlessReached,
      .budget = settings_.call_timeout,
  };
  Result<EngineAnswer> answer = client_.Do(call, patience);
  const bool in_doubt = !answer && answer.error().code == ErrorCode::kUnavailable;
  if (in_doubt) {
    call.retry = Retry::kSafe;
    answer = client_.Do(call, patience);
  }
  if (!answer) return std::move(answer).error();
  if (answer->status == 204) return true;
  // Where the first answer was lost, this signal may be why it runs no more.
  if (answer->status == 404 || answer->status == 409) return in_doubt;
  return EngineRefusal(*answer, call.subject);
}

Result<bool> EngineApi::DeleteContainer(std::string_view id, const run::Patience& patience) {
  const std::string subject = Subject("remove container", id);
  TW_ASSIGN(const EngineAnswer answer,
            client_.Do({.method = "DELETE",
                        .path = "/containers/" + io::UrlEncode(id) + "?force=1&v=1",
                        .subject = subject,
                        .budget = settings_.call_timeout},
                       patience));
  if (answer.status == 204 || answer.status == 404) return true;
  if (answer.status == 409) return false;  // "removal of container ... is already in progress"
  return EngineRefusal(answer, subject);
}

Result<bool> EngineApi::DeleteNetwork(std::string_view id, const run::Patience& patience) {
  const std::string subject = Subject("remove network", id);
  TW_ASSIGN(const EngineAnswer answer, client_.Do({.method = "DELETE",
                                                   .path = "/networks/" + io::UrlEncode(id),
                                                   .subject = subject,
                                                   .budget = settings_.call_timeout},
                                                  patience));
  if (answer.status == 204 || answer.status == 404) return true;
  if (answer.status == 403 || answer.status == 409) return false;  // "has active endpoints"
  return EngineRefusal(answer, subject);
}

Result<Json> EngineApi::List(std::string path, std::string subject, const run::Patience& patience) {
  TW_ASSIGN(const EngineAnswer answer, client_.Do({.path = std::move(path),
                                                   .subject = subject,
                                                   .budget = settings_.call_timeout,
                                                   .max_response_bytes = kMaxList},
                                                  patience));
  if (answer.status != 200) return EngineRefusal(answer, subject);
  std::optional<Json> body = ParseJson(answer.body);
  if (!body || !body->is_array()) return InvalidAnswer(subject, "the answer is no JSON array");
  return *std::move(body);
}

Result<Json> EngineApi::ListPage(std::string_view label, std::string_view before, std::size_t most,
                                 const run::Patience& patience) {
  Json filters{{"label", Json::array({label})}};
  if (!before.empty()) filters["before"] = Json::array({before});
  return List(
      "/containers/json?all=1&limit=" + std::to_string(most) + "&filters=" + Filters(filters),
      std::string(kListContainers), patience);
}

Result<bool> EngineApi::IsListed(std::string_view id, const run::Patience& patience) {
  TW_ASSIGN(const Json found,
            List("/containers/json?all=1&filters=" + Filters({{"id", Json::array({id})}}),
                 std::string(kListContainers), patience));
  return !found.empty();
}

// Each page begins after the last one of the page before, by its id. Where that has been removed
// meanwhile (20.10 answers 500 then), the one before it serves as well: nothing that is there and
// older can be missed, since what lies between the two is gone.
Result<void> EngineApi::ListContainers(std::string_view label, const run::Patience& patience,
                                       const std::function<void(const Json&)>& on_container) {
  std::vector<std::string> told;  // the last one is where the next page begins
  std::set<std::string> seen;
  std::size_t most = kMostOnPage;
  for (;;) {
    const std::string before = told.empty() ? std::string() : told.back();
    const Result<Json> page = ListPage(label, before, most, patience);
    if (!page && page.error().code == ErrorCode::kResourceExhausted && most > 1) {
      most /= 2;
      continue;
    }
    if (!page) {
      if (before.empty() || page.error().Reason() != "ENGINE_ERROR") return page.error();
      TW_ASSIGN(const bool is_there, IsListed(before, patience));
      if (is_there) return page.error();
      told.pop_back();
      continue;
    }
    const std::size_t earlier = seen.size();
    for (const Json& container : *page) {
      std::string id = TextAt(container, "Id");
      if (!IsEngineId(id) || !seen.insert(id).second) continue;
      on_container(container);
      told.push_back(std::move(id));
    }
    if (seen.size() > kMostListed) return InvalidAnswer(kListContainers, "there is no end of them");
    if (page->size() < most) return Ok();
    if (seen.size() == earlier) return InvalidAnswer(kListContainers, "a page says nothing new");
  }
}

Result<Json> EngineApi::ListNetworks(std::string_view label, const run::Patience& patience) {
  return List("/networks?filters=" + Filters({{"label", Json::array({label})}}),
              "list networks of brokers", patience);
}

Result<void> EngineApi::StreamEvents(std::string_view label, std::string_view since,
                                     const run::Patience& patience, std::function<void()> on_open,
                                     std::function<bool(std::string_view)> on_data) {
  const std::string subject = "follow the engine's events";
  std::string path =
      "/events?filters=" + Filters({{"type", Json::array({"container"})},
                                    {"event", Json::array({"die", "oom", "destroy"})},
                                    {"label", Json::array({label})}});
  if (!since.empty()) path += "&since=" + io::UrlEncode(since);
  TW_ASSIGN(const EngineAnswer answer,
            client_.Stream(
                {.path = std::move(path), .subject = subject, .budget = settings_.check_timeout},
                std::chrono::milliseconds(0), patience, std::move(on_open), std::move(on_data)));
  if (answer.status != 200) return EngineRefusal(answer, subject);
  return Ok();
}

// Never with follow=1: the answer then ends when the container does, without what it wrote last
// (seen with 20.10).
Result<void> EngineApi::ReadLog(std::string_view id, std::string_view since,
                                std::chrono::milliseconds silence, const run::Patience& patience,
                                const std::function<bool(std::string_view)>& on_data) {
  std::string path = "/containers/" + io::UrlEncode(id) + "/logs?stdout=1&stderr=1&timestamps=1";
  if (!since.empty()) path += "&since=" + io::UrlEncode(since);
  // Nothing comes, not even the header, before the first message.
  const EngineCall call{
      .path = std::move(path), .subject = Subject("read log of container", id), .budget = silence};
  TW_ASSIGN(const EngineAnswer answer, client_.Read(call, silence, patience, on_data));
  if (answer.status != 200) return EngineRefusal(answer, call.subject);
  return Ok();
}

Result<void> EngineApi::PullImage(std::string_view name, std::string_view tag,
                                  const std::string& auth, const run::Patience& patience,
                                  std::function<bool(std::string_view)> on_data) {
  EngineCall call{
      .method = "POST",
      .path = "/images/create?fromImage=" + io::UrlEncode(name) + "&tag=" + io::UrlEncode(tag),
      .subject = Subject("pull image", std::string(name).append("@").append(tag)),
      .budget = settings_.pull_silence};
  if (!auth.empty()) call.headers.emplace_back("X-Registry-Auth", auth);
  TW_ASSIGN(const EngineAnswer answer,
            client_.Stream(call, settings_.pull_silence, patience, nullptr, std::move(on_data)));
  if (answer.status == 200) return Ok();
  Error error = EngineRefusal(answer, call.subject);
  error.reason = "IMAGE_UNAVAILABLE";
  return error;
}

Result<std::string> EngineApi::AttachTarget(std::string_view id, bool with_stdin,
                                            const run::Patience& patience) {
  TW_ASSIGN(const EngineVersion version, client_.Version(patience));
  return version.Prefix() + "/containers/" + io::UrlEncode(id) +
         "/attach?stream=1&stdout=1&stderr=1" + (with_stdin ? "&stdin=1" : "");
}

}  // namespace tidewaiter::docker
