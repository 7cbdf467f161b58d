// Any bytes as what a cluster answers: a pod, a Status, a list's item, an event of a watch. Those
// that are JSON are also laid over the Job and the pod that an API server makes of a hardened run:
// what then still conforms is still hardened.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/printable.h"
#include "broker/kubernetes/conformity.h"
#include "broker/kubernetes/exec_channels.h"
#include "broker/kubernetes/labels.h"
#include "broker/kubernetes/network_policy.h"
#include "broker/kubernetes/pod_end.h"
#include "broker/kubernetes/pod_view.h"
#include "broker/kubernetes/quantity.h"
#include "broker/kubernetes/status.h"
#include "extract/omission_lines.h"
#include "tests/support/cluster_recordings.h"

namespace {

using namespace tidewaiter;

void Require(bool holds) {
  if (!holds) std::abort();
}

void RequirePrintable(std::string_view text) {
  Require(IsUtf8(text) && !HasControl(text) && text.size() < 4096);
}

void CheckStatus(std::string_view text) {
  for (const long code : {400, 403, 404, 409, 410, 429, 503}) {
    const Error error = kubernetes::StatusError(code, text, "do x");
    RequirePrintable(error.message);
    Require(!error.Reason().empty() && error.message.starts_with("do x: "));
  }
  const auto after = kubernetes::RetryAfter(text, text);
  Require(!after || (after->count() >= 0 && *after <= std::chrono::minutes(1)));
}

void CheckPodState(const Json& object) {
  const auto pod = kubernetes::ReadPod(object);
  if (!pod) return;
  for (const std::string& word : {pod->phase, pod->reason, pod->message, pod->unschedulable,
                                  pod->job.reason, pod->job.message, pod->job.image_id}) {
    RequirePrintable(word);
  }
  if (const auto end = kubernetes::EndOf(*pod, false)) {
    RequirePrintable(end->message);
    if (end->lost) RequirePrintable(end->lost->message);
    Require(!end->lost || !end->command_failed);
  }
  const kubernetes::Hindrance hindrance = kubernetes::HindranceOf(*pod);
  RequirePrintable(hindrance.error.message);
  Require((hindrance.kind == kubernetes::Hindrance::Kind::kNone) ==
          hindrance.error.message.empty());
}

// Whatever else it says.
bool IsHardened(const Json& spec) {
  const Json& containers = At(spec, {"containers"});
  if (!containers.is_array() || containers.size() != 1) return false;
  const Json& container = containers[0];
  const Json& security = At(container, {"securityContext"});
  const Json& limits = At(container, {"resources", "limits"});
  return At(spec, {"hostNetwork"}) != true && At(spec, {"hostPID"}) != true &&
         At(spec, {"hostIPC"}) != true && At(spec, {"initContainers"}).empty() &&
         At(spec, {"automountServiceAccountToken"}) == false && At(spec, {"volumes"}).size() == 1 &&
         At(spec, {"volumes"})[0].size() == 2 && At(container, {"volumeMounts"}).size() == 1 &&
         At(container, {"env"}).size() == 4 && At(container, {"envFrom"}).empty() &&
         At(container, {"command"}) == Json{"run", "$$(HOME)", "$$$$"} &&
         At(container, {"args"}).empty() && At(security, {"privileged"}) == false &&
         At(security, {"allowPrivilegeEscalation"}) == false &&
         At(security, {"readOnlyRootFilesystem"}) == true && At(security, {"runAsUser"}) == 1000 &&
         At(security, {"capabilities", "add"}) == Json{"NET_BIND_SERVICE"} &&
         At(security, {"capabilities", "drop"}) == Json{"ALL"} &&
         kubernetes::QuantityMillis(TextAt(limits, "memory")) == 64'000'000'000 &&
         limits.size() == 3;
}

void CheckConformity(const Json& patch) {
  static const Json asked = Json::parse(kubernetes::kAskedJob);
  static const Json job_answer = Json::parse(kubernetes::kJobAnswer);
  static const Json pod_answer = Json::parse(kubernetes::kPodAnswer);
  static const Json asked_pod = At(asked, {"spec", "template"});
  Json job = job_answer;
  job.merge_patch(patch);
  const auto job_conforms = kubernetes::CheckJob(asked, job);
  if (!job_conforms) RequirePrintable(job_conforms.error().message);
  Require(!job_conforms || IsHardened(At(job, {"spec", "template", "spec"})));
  Json pod = pod_answer;
  pod.merge_patch(patch);
  const auto pod_conforms = kubernetes::CheckPod(asked_pod, pod);
  if (!pod_conforms) RequirePrintable(pod_conforms.error().message);
  Require(!pod_conforms || IsHardened(At(pod, {"spec"})));
  CheckPodState(pod);
}

// What came of a command in a pod.
struct Executed {
  std::string out;
  std::string err;
  std::string refusal;             // the reason
  std::optional<std::string> end;  // its message, empty for success
  friend bool operator==(const Executed&, const Executed&) = default;
};

// Each message is a line of `text`, in pieces of at most `piece` bytes.
Executed Execute(std::string_view text, std::size_t piece) {
  Executed executed;
  kubernetes::ExecChannels channels({.on_stdout = [&](std::string_view bytes) -> Result<void> {
                                       Require(!bytes.empty());
                                       executed.out += bytes;
                                       return Ok();
                                     },
                                     .on_stderr =
                                         [&](std::string_view bytes) {
                                           Require(!bytes.empty());
                                           executed.err += bytes;
                                         }});
  while (!text.empty() && executed.refusal.empty()) {
    std::string_view message = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(message.size() + 1, text.size()));
    bool begins = true;
    do {
      const auto fed = channels.Feed(message.substr(0, piece), std::exchange(begins, false));
      if (!fed) {
        RequirePrintable(fed.error().message);
        executed.refusal = fed.error().Reason();
        Require(executed.refusal == "CLUSTER_INVALID_ANSWER");
      }
      message.remove_prefix(std::min(piece, message.size()));
    } while (!message.empty() && executed.refusal.empty());
  }
  if (const auto end = channels.end()) {
    executed.end = *end ? "" : end->error().message;
    RequirePrintable(*executed.end);
    Require(*end || end->error().Reason() == "EXEC_FAILED");
  }
  return executed;
}

void CheckChannels(std::string_view text) {
  const Executed whole = Execute(text, text.size());
  Require(whole.out.size() + whole.err.size() <= text.size());
  for (const std::size_t piece : {1U, 2U, 7U}) {
    // Of a piece that is refused nothing is kept, of those before it something may be.
    const Executed split = Execute(text, piece);
    Require(split.refusal == whole.refusal && (!whole.refusal.empty() || split == whole));
  }
}

// What the broker makes of a pod's stderr.
struct Said {
  std::vector<std::pair<std::string, std::string>> omissions;
  std::optional<std::uint64_t> omitted;
  std::string message;
  friend bool operator==(const Said&, const Said&) = default;
};

Said Hear(std::string_view text, std::size_t piece) {
  Said said;
  extract::OmissionReader reader([&](std::string_view code, std::string_view path) {
    RequirePrintable(code);
    Require(!code.empty() && code.size() <= 64 && !path.empty() && path.size() < 4200);
    // Printable has nothing to change, but for the escape, which it would escape again.
    std::string plain(path);
    std::replace(plain.begin(), plain.end(), '\\', '/');
    Require(Printable(plain, plain.size()) == plain);
    said.omissions.emplace_back(code, path);
  });
  for (std::size_t at = 0; at < text.size(); at += piece) reader.Feed(text.substr(at, piece));
  said.omitted = reader.omitted();
  said.message = reader.message();
  Require(said.omissions.size() <= extract::kMaxListedOmissions);
  RequirePrintable(said.message);
  Require(said.message.size() < 420);
  return said;
}

void CheckOmissions(std::string_view text) {
  const Said whole = Hear(text, std::max<std::size_t>(text.size(), 1));
  for (const std::size_t piece : {1U, 3U, 500U}) Require(Hear(text, piece) == whole);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  // The text of bytes is what a char is for.
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  CheckStatus(text);
  CheckChannels(text);
  CheckOmissions(text);
  static_cast<void>(kubernetes::QuantityMillis(text));
  static_cast<void>(kubernetes::ParseTime(text));
  Require(kubernetes::LabelValue(text).size() <= 63);
  const auto json = ParseJson(text);
  if (!json) return 0;
  RequirePrintable(kubernetes::StatusError(*json, "watch pods").message);
  CheckPodState(*json);
  CheckPodState(At(*json, {"object"}));
  CheckConformity(*json);
  const auto policy = kubernetes::CheckNetworkPolicy(Json::object(), *json);
  if (!policy) RequirePrintable(policy.error().message);
  Require(!kubernetes::BelongsTo(*json, BrokerId(), RunId()));
  return 0;
}
