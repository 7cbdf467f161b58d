#include "broker/kubernetes/labels.h"

#include <openssl/evp.h>

#include <algorithm>
#include <array>

#include "broker/io/url.h"

namespace tidewaiter::kubernetes {
namespace {

constexpr std::string_view kHashPrefix = "sha256-";
constexpr std::size_t kMaxValue = 63;

bool IsAlphanumeric(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool IsLabelValue(std::string_view text) {
  if (text.empty()) return true;
  return text.size() <= kMaxValue && IsAlphanumeric(text.front()) && IsAlphanumeric(text.back()) &&
         std::all_of(text.begin(), text.end(),
                     [](char c) { return IsAlphanumeric(c) || c == '-' || c == '_' || c == '.'; });
}

std::string HexSha256(std::string_view text) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int length = 0;
  EVP_Digest(text.data(), text.size(), digest.data(), &length, EVP_sha256(), nullptr);
  constexpr std::string_view kHex = "0123456789abcdef";
  std::string hex;
  for (unsigned int i = 0; i < length; ++i) {
    hex += kHex[digest.at(i) >> 4U];
    hex += kHex[digest.at(i) & 0xFU];
  }
  return hex;
}

}  // namespace

std::string ObjectName(const RunId& run_id) {
  return "tw-" + run_id.value();
}

std::string LabelValue(std::string_view text) {
  if (IsLabelValue(text) && !text.starts_with(kHashPrefix)) return std::string(text);
  return std::string(kHashPrefix) + HexSha256(text).substr(0, kMaxValue - kHashPrefix.size());
}

ObjectLabels LabelsOf(const BrokerId& broker, const RunId& run_id, std::string_view principal,
                      const policy::EffectiveRun& run) {
  ObjectLabels all;
  const auto add = [&all](std::string name, std::string_view text) {
    std::string value = LabelValue(text);
    if (value == text) {
      all.annotations.erase(name);
    } else {
      all.annotations.insert_or_assign(name, std::string(text));
    }
    all.labels.insert_or_assign(std::move(name), std::move(value));
  };
  for (const auto& [name, value] : run.labels) add(name, value);
  // Last: they are the broker's whatever the run says.
  add(std::string(kBrokerLabel), broker.value());
  add(std::string(kRunLabel), run_id.value());
  add("io.tidewaiter.principal", principal);
  const policy::Tenant& tenant = run.tenant;
  if (!tenant.challenge.empty()) add("io.tidewaiter.tenant.challenge", tenant.challenge);
  if (!tenant.job.empty()) add("io.tidewaiter.tenant.job", tenant.job);
  if (!tenant.task.empty()) add("io.tidewaiter.tenant.task", tenant.task);
  return all;
}

ObjectLabels BrokersOwn(const ObjectLabels& labels) {
  const auto others = [](const auto& entry) { return !entry.first.starts_with("io.tidewaiter."); };
  ObjectLabels own = labels;
  std::erase_if(own.labels, others);
  std::erase_if(own.annotations, others);
  return own;
}

bool BelongsTo(const Json& object, const BrokerId& broker, const RunId& run_id) {
  const Json& labels = At(object, {"metadata", "labels"});
  return !broker.empty() && !run_id.empty() && TextAt(labels, kBrokerLabel) == broker.value() &&
         TextAt(labels, kRunLabel) == run_id.value();
}

std::string LabelQuery(std::string_view name, std::string_view value) {
  return "labelSelector=" + io::UrlEncode(std::string(name).append("=").append(value));
}

}  // namespace tidewaiter::kubernetes
