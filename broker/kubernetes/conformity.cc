#include "broker/kubernetes/conformity.h"

#include <algorithm>
#include <array>
#include <string>
#include <string_view>

#include "base/printable.h"
#include "broker/kubernetes/quantity.h"

namespace tidewaiter::kubernetes {
namespace {

Error Differs(const std::string& field) {
  return Fail(ErrorCode::kFailedPrecondition,
              "compare the Job with what was admitted: the cluster has another " + Quoted(field) +
                  " than was asked for: does a webhook change it?",
              "ENGINE_DIFFERS");
}

std::string Below(std::string field, std::string_view key) {
  return field.append(".").append(key);
}

// Where the server rewrites amounts ("2000m" as "2").
bool IsAmount(std::string_view field) {
  return field.find("].resources.") != std::string_view::npos || field.ends_with(".sizeLimit");
}

bool SameAmount(const Json& asked, const Json& found) {
  const auto asked_text = AsString(asked);
  const auto found_text = AsString(found);
  if (!asked_text || !found_text) return false;
  const auto amount = QuantityMillis(*asked_text);
  return amount && amount == QuantityMillis(*found_text);
}

// Every member of `asked` is in `found`, as it is; a list has the same entries in the same order.
Result<void> Contains(const Json& asked, const Json& found, const std::string& field) {
  // As a Job's template has it in an answer (metadata.creationTimestamp).
  if (asked.is_null()) return Ok();
  if (asked.is_object()) {
    for (const auto& [key, value] : asked.items()) {
      TW_TRY(Contains(value, At(found, {key}), field.empty() ? key : Below(field, key)));
    }
    return Ok();
  }
  if (asked.is_array()) {
    if (!found.is_array() || found.size() != asked.size()) return Differs(field);
    for (std::size_t i = 0; i < asked.size(); ++i) {
      TW_TRY(Contains(asked[i], found[i],
                      std::string(field).append("[").append(std::to_string(i)).append("]")));
    }
    return Ok();
  }
  // A text that is empty is left out of an answer (Go's omitempty), as the value of a variable is.
  // What is asked for as false is not: each of those fields means something else where it is absent
  // (allowPrivilegeEscalation, automountServiceAccountToken).
  const bool left_out = asked == Json("") && found.is_null();
  // What the admission plugin AlwaysPullImages says, and harmless: the image is named by digest.
  const bool pulled_always = field.ends_with(".imagePullPolicy") && found == "Always";
  const bool same =
      left_out || asked == found || pulled_always || (IsAmount(field) && SameAmount(asked, found));
  return same ? Ok() : Result<void>(Differs(field));
}

// Not in what is asked for: where the cluster has them, somebody else put them there.
constexpr std::array<std::string_view, 9> kForbiddenOfPod{
    "hostNetwork",           "hostPID",        "hostIPC",
    "shareProcessNamespace", "initContainers", "hostAliases",
    "ephemeralContainers",   "hostUsers",      "resourceClaims"};
constexpr std::array<std::string_view, 8> kForbiddenOfContainer{
    "envFrom",      "lifecycle",      "livenessProbe", "ports",
    "startupProbe", "readinessProbe", "volumeDevices", "restartPolicy"};
// Whole where it is asked for, and absent where not: an entry more would be a mount more.
constexpr std::array<std::string_view, 5> kListsOfContainer{"command", "args", "env",
                                                            "volumeMounts", "resizePolicy"};

bool IsSet(const Json& value) {
  if (value.is_null() || value == false) return false;
  return !(value.is_array() || value.is_object()) || !value.empty();
}

// No member that was not asked for: a variable from a secret, a device among the limits.
Result<void> NoMember(const Json& asked, const Json& found, const std::string& field) {
  if (!found.is_object()) return Ok();  // a word of a command
  for (const auto& [key, value] : found.items()) {
    if (IsSet(value) && !asked.contains(key)) return Differs(Below(field, key));
  }
  return Ok();
}

Result<void> NoMemberOfEach(const Json& asked, const Json& found, const std::string& field) {
  for (std::size_t i = 0; i < asked.size(); ++i) {
    TW_TRY(NoMember(asked[i], found[i], field + "[" + std::to_string(i) + "]"));
  }
  return Ok();
}

constexpr std::string_view kTimeToLive = "ttlSecondsAfterFinished";
constexpr std::array<std::string_view, 3> kForbiddenOfSecurity{"sysctls", "supplementalGroups",
                                                               "windowsOptions"};
constexpr std::array<std::string_view, 4> kSelinuxTypes{"", "container_t", "container_init_t",
                                                        "container_kvm_t"};

// The rest of a securityContext, by what the baseline Pod Security Standard lets it be.
Result<void> CheckSecurity(const Json& security, const std::string& field) {
  for (const std::string_view name : kForbiddenOfSecurity) {
    if (IsSet(At(security, {name}))) return Differs(field + "." + std::string(name));
  }
  const Json& proc = At(security, {"procMount"});
  if (!proc.is_null() && proc != "Default") return Differs(field + ".procMount");
  const Json& profile = At(security, {"appArmorProfile"});
  if (!profile.is_null() && TextAt(profile, "type") != "RuntimeDefault") {
    return Differs(field + ".appArmorProfile");
  }
  const Json& selinux = At(security, {"seLinuxOptions"});
  const auto* const type =
      std::find(kSelinuxTypes.begin(), kSelinuxTypes.end(), TextAt(selinux, "type"));
  if (type == kSelinuxTypes.end() || IsSet(At(selinux, {"user"})) || IsSet(At(selinux, {"role"}))) {
    return Differs(field + ".seLinuxOptions");
  }
  return Ok();
}

// `asked` and `found`: containers that Contains has found alike.
Result<void> NothingAddedToContainer(const Json& asked, const Json& found,
                                     const std::string& field) {
  for (const std::string_view name : kForbiddenOfContainer) {
    if (IsSet(At(found, {name}))) return Differs(field + "." + std::string(name));
  }
  for (const std::string_view name : kListsOfContainer) {
    const std::string list = field + "." + std::string(name);
    if (asked.contains(name)) {
      TW_TRY(NoMemberOfEach(asked.at(name), At(found, {name}), list));
    } else if (IsSet(At(found, {name}))) {
      return Differs(list);
    }
  }
  for (const char* amounts : {"limits", "requests"}) {
    TW_TRY(NoMember(At(asked, {"resources", amounts}), At(found, {"resources", amounts}),
                    field + ".resources." + amounts));
  }
  const Json& capabilities = At(found, {"securityContext", "capabilities"});
  if (!At(asked, {"securityContext", "capabilities"}).contains("add") &&
      IsSet(At(capabilities, {"add"}))) {
    return Differs(field + ".securityContext.capabilities.add");
  }
  return CheckSecurity(At(found, {"securityContext"}), field + ".securityContext");
}

Result<void> NothingAdded(const Json& asked, const Json& found, const std::string& field) {
  for (const std::string_view name : kForbiddenOfPod) {
    if (!asked.contains(name) && IsSet(At(found, {name})))
      return Differs(field + std::string(name));
  }
  if (asked.contains("volumes")) {
    TW_TRY(NoMemberOfEach(asked.at("volumes"), At(found, {"volumes"}), field + "volumes"));
  } else if (IsSet(At(found, {"volumes"}))) {
    return Differs(field + "volumes");
  }
  TW_TRY(CheckSecurity(At(found, {"securityContext"}), field + "securityContext"));
  for (const char* list : {"initContainers", "containers"}) {
    const Json& containers = At(found, {list});
    for (std::size_t i = 0; i < containers.size(); ++i) {
      TW_TRY(NothingAddedToContainer(At(asked, {list})[i], containers[i],
                                     field + list + "[" + std::to_string(i) + "]"));
    }
  }
  return Ok();
}

}  // namespace

Result<void> CheckJob(const Json& body, const Json& job) {
  Json spec = At(body, {"spec"});
  // A server of 1.20 leaves it out, unless its feature gate TTLAfterFinished is set (beta since
  // 1.21): nobody but a broker removes the Job then.
  if (!At(job, {"spec"}).contains(kTimeToLive)) spec.erase(std::string(kTimeToLive));
  TW_TRY(Contains(spec, At(job, {"spec"}), "spec"));
  TW_TRY(Contains(At(body, {"metadata"}), At(job, {"metadata"}), "metadata"));
  return NothingAdded(At(body, {"spec", "template", "spec"}), At(job, {"spec", "template", "spec"}),
                      "spec.template.spec.");
}

Result<void> CheckPod(const Json& asked, const Json& pod) {
  const Json& spec = At(asked, {"spec"});
  Json compared = spec;
  compared.erase("tolerations");
  TW_TRY(Contains(At(asked, {"metadata"}), At(pod, {"metadata"}), "metadata"));
  TW_TRY(Contains(compared, At(pod, {"spec"}), "spec"));
  return NothingAdded(spec, At(pod, {"spec"}), "spec.");
}

}  // namespace tidewaiter::kubernetes
