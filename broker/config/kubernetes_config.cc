#include "broker/config/kubernetes_config.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "base/printable.h"
#include "broker/config/toml_values.h"
#include "policy/image_reference.h"

namespace tidewaiter::config {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

// RFC 1123, as Kubernetes takes it for namespaces: lower case, digits, '-', at most 63.
bool IsDnsLabel(std::string_view text) {
  const auto plain = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  return !text.empty() && text.size() <= 63 && plain(text.front()) && plain(text.back()) &&
         std::all_of(text.begin(), text.end(), [&](char c) { return plain(c) || c == '-'; });
}

// And for other objects: labels with dots between them, at most 253.
bool IsDnsName(std::string_view text) {
  if (text.size() > 253) return false;
  for (;;) {
    const std::size_t dot = text.find('.');
    if (!IsDnsLabel(text.substr(0, dot))) return false;
    if (dot == std::string_view::npos) return true;
    text.remove_prefix(dot + 1);
  }
}

void ReadName(TomlTable& table, std::string_view key, bool (*is_name)(std::string_view),
              std::string& out) {
  const auto name = table.String(key);
  if (!name || name->empty()) return;
  if (!is_name(*name)) {
    table.Problem(
        key, fmt::format("{} is no such name: lower-case letters, digits and '-'", Quoted(*name)));
    return;
  }
  out = *name;
}

template <std::size_t N>
void ReadWord(TomlTable& table, std::string_view key, const std::array<std::string_view, N>& words,
              std::string& out) {
  const auto word = table.String(key);
  if (!word) return;
  if (std::find(words.begin(), words.end(), *word) == words.end()) {
    table.Problem(key, fmt::format("{} is none of {}", Quoted(*word), fmt::join(words, ", ")));
    return;
  }
  out = *word;
}

KubernetesConfig::Toleration ReadToleration(TomlTable table) {
  constexpr std::array<std::string_view, 2> kOperators{"Exists", "Equal"};
  constexpr std::array<std::string_view, 3> kEffects{"NoSchedule", "PreferNoSchedule", "NoExecute"};
  constexpr std::int64_t kYear = 366LL * 24 * 3600;
  KubernetesConfig::Toleration toleration;
  toleration.key = table.String("key").value_or("");
  ReadWord(table, "operator", kOperators, toleration.operation);
  toleration.value = table.String("value").value_or("");
  ReadWord(table, "effect", kEffects, toleration.effect);
  toleration.seconds = table.Int("seconds", 0, kYear);
  return toleration;
}

void ReadPlacement(TomlTable& table, KubernetesConfig& config) {
  if (auto selector = table.Table("node_selector")) {
    for (const std::string& name : selector->Keys()) {
      if (auto value = selector->String(name)) config.node_selector[name] = *std::move(value);
    }
  }
  for (TomlTable& toleration : table.Tables("tolerations")) {
    config.tolerations.push_back(ReadToleration(std::move(toleration)));
  }
  ReadName(table, "runtime_class", IsDnsName, config.runtime_class);
  if (const auto secrets = table.Strings("image_pull_secrets")) {
    for (std::size_t i = 0; i < secrets->size(); ++i) {
      if (IsDnsName((*secrets)[i])) continue;
      table.ElementProblem("image_pull_secrets", i,
                           fmt::format("{} is no name of a Secret", Quoted((*secrets)[i])));
    }
    config.image_pull_secrets = *secrets;
  }
}

void ReadImage(TomlTable& table, std::string& out) {
  const auto text = table.String("carrier_image");
  if (!text || text->empty()) return;
  const auto image = policy::ParseImageReference(*text);
  if (!image) return table.Problem("carrier_image", image.error().message);
  if (image->digest.empty()) {
    return table.Problem("carrier_image",
                         fmt::format("{} has no digest: a tag can be moved", Quoted(*text)));
  }
  out = image->Name() + "@" + image->digest;
}

}  // namespace

KubernetesConfig ReadKubernetes(TomlTable table) {
  KubernetesConfig config;
  if (const auto path = table.String("kubeconfig"); path && !path->empty()) {
    ReadPath(table, "kubeconfig", config.kubeconfig);
  }
  config.context = table.String("context").value_or("");
  ReadName(table, "namespace", IsDnsLabel, config.name_space);
  config.network_policy_enforced = table.Bool("network_policy_enforced").value_or(false);
  config.pod_pids_limit = table.Int("pod_pids_limit", 1, std::int64_t{1} << 22U);
  ReadPlacement(table, config);
  ReadImage(table, config.carrier_image);
  ReadSize(table, "max_input_bytes", 1, std::int64_t{256} << 20U, config.max_input_bytes);
  ReadDuration(table, "call_timeout", seconds(1), minutes(10), config.call_timeout);
  ReadDuration(table, "schedule_timeout", seconds(1), hours(6), config.schedule_timeout);
  ReadDuration(table, "pull_failure_timeout", seconds(1), hours(6), config.pull_failure_timeout);
  ReadDuration(table, "finished_ttl", minutes(1), hours(24 * 30), config.finished_ttl);
  ReadDuration(table, "watch_retry_max", milliseconds(100), minutes(1), config.watch_retry_max);
  ReadDuration(table, "watch_loss_limit", seconds(1), hours(24), config.watch_loss_limit);
  ReadDuration(table, "settle_time", seconds(1), minutes(10), config.settle_time);
  return config;
}

policy::KubernetesTarget ToTarget(const KubernetesConfig& config) {
  policy::KubernetesTarget target;
  target.pod_pids_limit = config.pod_pids_limit;
  target.network_policy_enforced = config.network_policy_enforced;
  target.carries_files = !config.carrier_image.empty();
  target.max_input_bytes = config.max_input_bytes;
  return target;
}

}  // namespace tidewaiter::config
