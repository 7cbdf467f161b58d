#include "broker/kubernetes/conformity.h"

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

bool SameText(const Json& asked, const Json& found) {
  if (asked == found) return true;
  const auto asked_text = AsString(asked);
  const auto found_text = AsString(found);
  if (!asked_text || !found_text) return false;
  const auto amount = QuantityMillis(*asked_text);
  return amount && amount == QuantityMillis(*found_text);
}

// Every member of `asked` is in `found`, as it is; a list has the same entries in the same order.
Result<void> Contains(const Json& asked, const Json& found, const std::string& field) {
  if (asked.is_object()) {
    for (const auto& [key, value] : asked.items()) {
      TW_TRY(Contains(value, At(found, {key}), field.empty() ? key : field + "." + key));
    }
    return Ok();
  }
  if (asked.is_array()) {
    if (!found.is_array() || found.size() != asked.size()) return Differs(field);
    for (std::size_t i = 0; i < asked.size(); ++i) {
      TW_TRY(Contains(asked[i], found[i], field + "[" + std::to_string(i) + "]"));
    }
    return Ok();
  }
  // A member that is false is left out of an answer (Go's omitempty).
  const bool left_out = asked == false && found.is_null();
  return left_out || SameText(asked, found) ? Ok() : Result<void>(Differs(field));
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

Result<void> NothingAdded(const Json& asked, const Json& found, const std::string& field) {
  for (const std::string_view name : kForbiddenOfPod) {
    if (!asked.contains(name) && IsSet(At(found, {name})))
      return Differs(field + std::string(name));
  }
  if (!asked.contains("volumes") && IsSet(At(found, {"volumes"}))) {
    return Differs(field + "volumes");
  }
  const Json& containers = At(found, {"containers"});
  for (std::size_t i = 0; i < containers.size(); ++i) {
    const Json& container = containers[i];
    const Json& asked_one = At(asked, {"containers"})[i];
    const std::string prefix = field + "containers[" + std::to_string(i) + "].";
    for (const std::string_view name : kForbiddenOfContainer) {
      if (IsSet(At(container, {name}))) return Differs(prefix + std::string(name));
    }
    for (const std::string_view name : kListsOfContainer) {
      if (!asked_one.contains(name) && IsSet(At(container, {name}))) {
        return Differs(prefix + std::string(name));
      }
    }
    const Json& capabilities = At(container, {"securityContext", "capabilities"});
    if (!At(asked_one, {"securityContext", "capabilities"}).contains("add") &&
        IsSet(At(capabilities, {"add"}))) {
      return Differs(prefix + "securityContext.capabilities.add");
    }
  }
  return Ok();
}

}  // namespace

Result<void> CheckJob(const Json& body, const Json& job) {
  TW_TRY(Contains(At(body, {"spec"}), At(job, {"spec"}), "spec"));
  TW_TRY(Contains(At(body, {"metadata"}), At(job, {"metadata"}), "metadata"));
  return NothingAdded(At(body, {"spec", "template", "spec"}), At(job, {"spec", "template", "spec"}),
                      "spec.template.spec.");
}

Result<void> CheckPod(const Json& asked, const Json& pod) {
  Json compared = asked;
  compared.erase("tolerations");
  TW_TRY(Contains(compared, At(pod, {"spec"}), "spec"));
  return NothingAdded(asked, At(pod, {"spec"}), "spec.");
}

}  // namespace tidewaiter::kubernetes
