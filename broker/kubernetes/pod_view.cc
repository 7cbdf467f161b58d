#include "broker/kubernetes/pod_view.h"

#include <limits>

#include "base/printable.h"
#include "broker/kubernetes/job_manifest.h"

namespace tidewaiter::kubernetes {
namespace {

constexpr std::size_t kMaxMessage = 400;
constexpr std::size_t kMaxWord = 64;

std::string Word(const Json& object, std::string_view key) {
  return Printable(TextAt(object, key), kMaxWord);
}

std::string Message(const Json& object) {
  return Printable(TextAt(object, "message"), kMaxMessage);
}

std::int32_t ExitCode(const Json& terminated) {
  const std::int64_t code = AsInt(At(terminated, {"exitCode"})).value_or(-1);
  constexpr std::int64_t kLowest = std::numeric_limits<std::int32_t>::min();
  constexpr std::int64_t kHighest = std::numeric_limits<std::int32_t>::max();
  return code < kLowest || code > kHighest ? -1 : static_cast<std::int32_t>(code);
}

ContainerView ReadContainer(const Json& status) {
  using State = ContainerView::State;
  ContainerView view;
  view.image_id = Printable(TextAt(status, "imageID"), kMaxMessage);
  const Json& terminated = At(status, {"state", "terminated"});
  const Json& running = At(status, {"state", "running"});
  const Json& waiting = At(status, {"state", "waiting"});
  if (terminated.is_object()) {
    view.state = State::kTerminated;
    view.reason = Word(terminated, "reason");
    view.message = Message(terminated);
    view.exit_code = ExitCode(terminated);
    view.started_at = ParseTime(TextAt(terminated, "startedAt"));
    view.finished_at = ParseTime(TextAt(terminated, "finishedAt"));
  } else if (running.is_object()) {
    view.state = State::kRunning;
    view.started_at = ParseTime(TextAt(running, "startedAt"));
  } else {
    view.state = State::kWaiting;
    view.reason = Word(waiting, "reason");
    view.message = Message(waiting);
  }
  return view;
}

ContainerView FindContainer(const Json& statuses, std::string_view name) {
  if (statuses.is_array()) {
    for (const Json& status : statuses) {
      if (TextAt(status, "name") == name) return ReadContainer(status);
    }
  }
  return {};
}

void ReadConditions(const Json& conditions, PodView& view) {
  if (!conditions.is_array()) return;
  for (const Json& condition : conditions) {
    if (TextAt(condition, "type") != "PodScheduled") continue;
    view.scheduled = TextAt(condition, "status") == "True";
    if (TextAt(condition, "status") == "False") {
      view.unschedulable = Message(condition);
      if (view.unschedulable.empty()) view.unschedulable = Word(condition, "reason");
    }
  }
}

// deletionTimestamp is when its grace will have passed (meta/v1 ObjectMeta). One that cannot be
// read still says that there was a request.
std::optional<std::chrono::system_clock::time_point> DeletionRequest(const Json& metadata) {
  constexpr std::int64_t kLongestGrace = 366LL * 24 * 3600;
  const std::string text = TextAt(metadata, "deletionTimestamp");
  if (text.empty()) return std::nullopt;
  const auto grace = AsInt(At(metadata, {"deletionGracePeriodSeconds"})).value_or(0);
  const bool sane = grace >= 0 && grace <= kLongestGrace;
  return ParseTime(text).value_or(std::chrono::system_clock::time_point()) -
         std::chrono::seconds(sane ? grace : 0);
}

}  // namespace

std::optional<std::chrono::system_clock::time_point> ParseTime(std::string_view text) {
  // "2026-11-23T15:26:55Z"
  constexpr std::string_view kForm = "dddd-dd-ddTdd:dd:ddZ";
  if (text.size() != kForm.size()) return std::nullopt;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool digit = text[i] >= '0' && text[i] <= '9';
    if (kForm[i] == 'd' ? !digit : text[i] != kForm[i]) return std::nullopt;
  }
  const auto number = [text](std::size_t from, std::size_t length) {
    int value = 0;
    for (const char c : text.substr(from, length)) value = value * 10 + (c - '0');
    return value;
  };
  const std::chrono::year_month_day date{std::chrono::year(number(0, 4)),
                                         std::chrono::month(static_cast<unsigned>(number(5, 2))),
                                         std::chrono::day(static_cast<unsigned>(number(8, 2)))};
  const int hour = number(11, 2);
  const int minute = number(14, 2);
  const int second = number(17, 2);
  // What nanoseconds since 1970 can count in 64 bits.
  constexpr int kLastYear = 2261;
  const int year = number(0, 4);
  if (year < 1970 || year > kLastYear) return std::nullopt;
  if (!date.ok() || hour > 23 || minute > 59 || second > 60) return std::nullopt;
  return std::chrono::sys_days(date) + std::chrono::hours(hour) + std::chrono::minutes(minute) +
         std::chrono::seconds(second);
}

bool HasStarted(const PodView& pod) {
  return pod.job.state == ContainerView::State::kRunning ||
         pod.job.state == ContainerView::State::kTerminated;
}

std::optional<PodView> ReadPod(const Json& pod) {
  const Json& metadata = At(pod, {"metadata"});
  const Json& status = At(pod, {"status"});
  PodView view;
  view.name = TextAt(metadata, "name");
  view.uid = TextAt(metadata, "uid");
  if (view.name.empty() || view.uid.empty()) return std::nullopt;
  view.phase = Word(status, "phase");
  view.reason = Word(status, "reason");
  view.message = Message(status);
  view.deletion_requested_at = DeletionRequest(metadata);
  ReadConditions(At(status, {"conditions"}), view);
  const Json& containers = At(status, {"containerStatuses"});
  view.job = FindContainer(containers, kJobContainer);
  view.outputs = FindContainer(containers, kOutputsContainer);
  view.preparation = FindContainer(At(status, {"initContainerStatuses"}), kPrepareContainer);
  return view;
}

}  // namespace tidewaiter::kubernetes
