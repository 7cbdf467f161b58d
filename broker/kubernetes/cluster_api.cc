#include "broker/kubernetes/cluster_api.h"

#include <charconv>
#include <utility>

#include "base/printable.h"
#include "broker/io/url.h"

namespace tidewaiter::kubernetes {
namespace {

using std::chrono::seconds;
using Retry = ClusterCall::Retry;

constexpr int kPage = 200;
// Pages of one list: 200,000 objects, far beyond what a broker can have made.
constexpr int kMaxPages = 1000;
// The server ends a watch after this; a bookmark comes about every minute, so that twice as long
// and a little without a word is a connection that is dead.
constexpr seconds kWatchLength(290);
constexpr seconds kWatchSilence(130);
// For the end of a command that has been told to end.
constexpr seconds kAfterAnswer(5);

std::string Subject(std::string_view verb, const ObjectKind& kind, std::string_view name) {
  return std::string(verb).append(" ").append(kind.name) + " " + Quoted(name);
}

// The digits that "20" and "20+" (as clouds write it) begin with.
std::optional<int> LeadingNumber(std::string_view text) {
  int number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() ? std::optional(number) : std::nullopt;
}

}  // namespace

std::string ClusterApi::Path(const ObjectKind& kind, std::string_view name) const {
  std::string path = std::string(kind.group) + "/namespaces/" +
                     io::UrlEncode(settings_.name_space) + "/" + std::string(kind.plural);
  if (!name.empty()) path += "/" + io::UrlEncode(name);
  return path;
}

ClusterCall ClusterApi::Call(std::string method, std::string path, std::string subject) const {
  ClusterCall call;
  call.method = std::move(method);
  call.path = std::move(path);
  call.subject = std::move(subject);
  call.budget = settings_.call_timeout;
  return call;
}

Result<Json> ClusterApi::Create(const ObjectKind& kind, const Json& body,
                                const run::Patience& patience) {
  ClusterCall call =
      Call("POST", Path(kind), Subject("create", kind, TextAt(At(body, {"metadata"}), "name")));
  TW_ASSIGN(call.body, JsonText(body));
  call.retry = Retry::kUnlessReached;
  return client_.Do(call, patience);
}

Result<Json> ClusterApi::TryCreate(const ObjectKind& kind, const Json& body,
                                   const run::Patience& patience) {
  ClusterCall call =
      Call("POST", Path(kind) + "?dryRun=All", "try to create a " + std::string(kind.name));
  TW_ASSIGN(call.body, JsonText(body));
  return client_.Do(call, patience);
}

Result<std::optional<Json>> ClusterApi::Read(const ObjectKind& kind, std::string_view name,
                                             const run::Patience& patience) {
  Result<Json> object =
      client_.Do(Call("GET", Path(kind, name), Subject("read", kind, name)), patience);
  if (object) return std::optional(*std::move(object));
  // A token's file that is missing is NOT_FOUND too.
  if (object.error().Reason() == "CLUSTER_NOT_FOUND") return std::optional<Json>();
  return std::move(object).error();
}

Result<Json> ClusterApi::Patch(const ObjectKind& kind, std::string_view name, const Json& patch,
                               const run::Patience& patience) {
  ClusterCall call = Call("PATCH", Path(kind, name), Subject("change", kind, name));
  call.content_type = "application/merge-patch+json";
  TW_ASSIGN(call.body, JsonText(patch));
  return client_.Do(call, patience);
}

Result<bool> ClusterApi::Delete(const ObjectKind& kind, std::string_view name,
                                const Deletion& deletion, const run::Patience& patience) {
  ClusterCall call = Call("DELETE", Path(kind, name), Subject("delete", kind, name));
  Json options = {
      {"apiVersion", "v1"}, {"kind", "DeleteOptions"}, {"propagationPolicy", deletion.propagation}};
  if (!deletion.uid.empty()) options["preconditions"] = {{"uid", deletion.uid}};
  if (deletion.grace_seconds) options["gracePeriodSeconds"] = *deletion.grace_seconds;
  TW_ASSIGN(call.body, JsonText(options));
  const Result<Json> answer = client_.Do(call, patience);
  if (answer) return TextAt(*answer, "kind") == "Status";
  const Error& error = answer.error();
  const bool absent = error.Reason() == "CLUSTER_NOT_FOUND";
  if (absent && !deletion.doubt_absence) return true;
  if (deletion.uid.empty() || (!absent && error.Reason() != "CLUSTER_CONFLICT")) return error;
  // The uid is another one's by now, or so it is said: a webhook refuses as it likes.
  TW_ASSIGN(const std::optional<Json> found, Read(kind, name, patience));
  if (!found || TextAt(At(*found, {"metadata"}), "uid") != deletion.uid) return true;
  return error;
}

Result<std::string> ClusterApi::List(const ObjectKind& kind, std::string_view query,
                                     const run::Patience& patience,
                                     const std::function<void(const Json&)>& on_item) {
  return ListAs({}, kind, query, patience, on_item);
}

Result<std::string> ClusterApi::ListMetadata(const ObjectKind& kind, std::string_view query,
                                             const run::Patience& patience,
                                             const std::function<void(const Json&)>& on_item) {
  return ListAs("application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1", kind, query,
                patience, on_item);
}

Result<std::string> ClusterApi::ListAs(std::string_view accept, const ObjectKind& kind,
                                       std::string_view query, const run::Patience& patience,
                                       const std::function<void(const Json&)>& on_item) {
  const std::string subject = "list " + std::string(kind.plural);
  std::string next;
  for (int page = 0; page < kMaxPages; ++page) {
    std::string path = Path(kind) + "?limit=" + std::to_string(kPage);
    path.append("&").append(query);
    if (!next.empty()) path += "&continue=" + io::UrlEncode(next);
    ClusterCall call = Call("GET", std::move(path), subject);
    call.accept = accept;
    TW_ASSIGN(const Json list, client_.Do(call, patience));
    const Json& items = At(list, {"items"});
    if (!items.is_array() && !items.is_null()) return InvalidAnswer(subject, "no items");
    for (const Json& item : items) on_item(item);
    const Json& metadata = At(list, {"metadata"});
    next = TextAt(metadata, "continue");
    if (next.empty()) return TextAt(metadata, "resourceVersion");
  }
  return InvalidAnswer(subject, "it does not end");
}

Result<void> ClusterApi::Watch(const ObjectKind& kind, std::string_view query,
                               std::string_view resource_version, const run::Patience& patience,
                               const io::StreamReceiver& receiver) {
  std::string path = Path(kind) + "?watch=1&allowWatchBookmarks=true&timeoutSeconds=" +
                     std::to_string(kWatchLength.count());
  path += "&resourceVersion=" + io::UrlEncode(resource_version);
  path.append("&").append(query);
  return client_.Stream(Call("GET", std::move(path), "watch " + std::string(kind.plural)),
                        kWatchSilence, patience, receiver);
}

Result<std::unique_ptr<io::HttpStream>> ClusterApi::BeginLog(
    std::string_view pod, std::string_view container, bool follow, io::StreamReceiver receiver,
    std::function<void(Result<void>)> on_end) {
  std::string path = Path(kPods, pod) + "/log?container=" + io::UrlEncode(container);
  if (follow) path += "&follow=true";
  return client_.BeginStream(Call("GET", std::move(path), Subject("read the log of", kPods, pod)),
                             std::move(receiver), std::move(on_end));
}

Result<void> ClusterApi::Exec(std::string_view pod, std::string_view container,
                              const std::vector<std::string>& command, ExecChannels::Takers takers,
                              const std::function<std::string()>& answer,
                              const run::Patience& patience) {
  std::string path =
      Path(kPods, pod) + "/exec?stdout=true&stderr=true&container=" + io::UrlEncode(container);
  if (answer) path += "&stdin=true";
  for (const std::string& word : command) path += "&command=" + io::UrlEncode(word);
  const ClusterCall call = Call("GET", std::move(path), Subject("run a command in", kPods, pod));
  TW_ASSIGN(const auto socket, client_.OpenSocket(call, kChannelProtocol, patience));
  ExecChannels channels(std::move(takers));
  std::string message;  // to the command
  bool sent = false;
  Deadline until = patience.deadline;
  using Kind = io::WebSocket::Event::Kind;
  for (;;) {
    const Result<io::WebSocket::Event> event = socket->Receive(patience.stop, until);
    if (!event || event->kind == Kind::kClosed) {
      // Some servers hang up right after the status.
      if (const auto end = channels.end()) return *end;
      if (!event) return event.error().Within(call.subject);
      return Fail(ErrorCode::kUnavailable, call.subject + ": it was cut off", "EXEC_BROKEN");
    }
    if (event->kind == Kind::kData) {
      const std::string_view piece(reinterpret_cast<const char*>(event->data.data()),
                                   event->data.size());
      TW_TRY(channels.Feed(piece, event->begins));
      if (!event->ends) continue;
      if (const auto end = channels.end()) return *end;
      if (answer && message.empty()) message = answer();
    }
    // Where there is no room now, an event tells when there is.
    if (message.empty() || sent) continue;
    const std::string framed = kStdinChannel + message;
    sent = socket->Send(std::as_bytes(std::span(framed)));
    if (sent) until = until.Sooner(Deadline::After(kAfterAnswer));
  }
}

Result<std::unique_ptr<io::WebSocket>> ClusterApi::AttachStdin(std::string_view pod,
                                                               std::string_view container,
                                                               const run::Patience& patience) {
  const std::string path =
      Path(kPods, pod) + "/attach?stdin=true&container=" + io::UrlEncode(container);
  return client_.OpenSocket(Call("GET", path, Subject("attach to", kPods, pod)), kChannelProtocol,
                            patience);
}

Result<std::string> ClusterApi::Version(const run::Patience& patience) {
  const std::string subject = "ask the cluster's version";
  TW_ASSIGN(const Json version, client_.Do(Call("GET", "/version", subject), patience));
  std::string text = Printable(TextAt(version, "gitVersion"), 64);
  const std::optional<int> major = LeadingNumber(TextAt(version, "major"));
  const std::optional<int> minor = LeadingNumber(TextAt(version, "minor"));
  if (!major || !minor) return InvalidAnswer(subject, "no major and minor number");
  if (*major < 1 || (*major == 1 && *minor < kOldestMinor)) {
    return Fail(ErrorCode::kFailedPrecondition,
                subject + ": it is " + Quoted(text) + "; 1." + std::to_string(kOldestMinor) +
                    " is the oldest that will do",
                "CLUSTER_VERSION");
  }
  return text;
}

Result<bool> ClusterApi::May(const Right& right, const run::Patience& patience) {
  ClusterCall call =
      Call("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", "ask for rights");
  Json attributes = {{"namespace", settings_.name_space},
                     {"verb", right.verb},
                     {"group", right.api_group},
                     {"resource", right.resource}};
  if (!right.subresource.empty()) attributes["subresource"] = right.subresource;
  TW_ASSIGN(call.body, JsonText({{"apiVersion", "authorization.k8s.io/v1"},
                                 {"kind", "SelfSubjectAccessReview"},
                                 {"spec", {{"resourceAttributes", std::move(attributes)}}}}));
  TW_ASSIGN(const Json answer, client_.Do(call, patience));
  return AsBool(At(answer, {"status", "allowed"})).value_or(false);
}

}  // namespace tidewaiter::kubernetes
