#include "tests/support/cluster_defaults.h"

#include <array>
#include <utility>

#include "tests/support/cluster_store.h"

namespace tidewaiter::testing {

using nlohmann::json;

namespace {

void DefaultContainer(json& container) {
  for (const auto& [name, value] : {std::pair{"imagePullPolicy", "IfNotPresent"},
                                    {"terminationMessagePath", "/dev/termination-log"},
                                    {"terminationMessagePolicy", "File"}}) {
    if (!container.contains(name)) container[name] = value;
  }
  if (container.contains("env")) {
    for (json& variable : container["env"]) {
      if (variable.value("value", "") == "") variable.erase("value");  // Go's omitempty
    }
  }
  if (!container.contains("resources")) container["resources"] = json::object();
  for (auto& [which, amounts] : container["resources"].items()) {
    for (auto& [name, amount] : amounts.items()) {
      amount = CanonicalQuantity(amount.get<std::string>());
    }
  }
}

void DefaultPodSpec(json& spec) {
  for (const char* list : {"initContainers", "containers"}) {
    if (!spec.contains(list)) continue;
    for (json& container : spec[list]) DefaultContainer(container);
  }
  spec["schedulerName"] = "default-scheduler";
  for (const auto& [name, value] : {std::pair{"dnsPolicy", json("ClusterFirst")},
                                    {"restartPolicy", json("Always")},
                                    {"terminationGracePeriodSeconds", json(30)},
                                    {"securityContext", json::object()}}) {
    if (!spec.contains(name)) spec[name] = value;
  }
  if (!spec.contains("volumes")) return;
  for (json& volume : spec["volumes"]) {
    if (volume.contains("emptyDir") && volume["emptyDir"].contains("sizeLimit")) {
      json& limit = volume["emptyDir"]["sizeLimit"];
      limit = CanonicalQuantity(limit.get<std::string>());
    }
    if (volume.contains("projected") && !volume["projected"].contains("defaultMode")) {
      volume["projected"]["defaultMode"] = 420;
    }
    if (volume.contains("secret") && !volume["secret"].contains("defaultMode")) {
      volume["secret"]["defaultMode"] = 420;
    }
  }
}

json Toleration(const char* key) {
  return {
      {"key", key}, {"operator", "Exists"}, {"effect", "NoExecute"}, {"tolerationSeconds", 300}};
}

}  // namespace

std::string CanonicalQuantity(const std::string& text) {
  constexpr std::array kSuffixes{"", "k", "M", "G", "T", "P"};
  std::string digits = text;
  const bool milli = digits.ends_with('m');
  if (milli) digits.pop_back();
  if (digits.empty() || digits.find_first_not_of("0123456789") != std::string::npos) return text;
  if (milli) {
    if (!digits.ends_with("000")) return text;
    digits.resize(digits.size() - 3);
  }
  std::size_t power = 0;
  while (digits.size() > 3 && digits.ends_with("000") && power + 1 < kSuffixes.size()) {
    digits.resize(digits.size() - 3);
    ++power;
  }
  return digits + kSuffixes.at(power);
}

void DefaultMetadata(json& metadata) {
  for (const char* map : {"labels", "annotations"}) {
    if (metadata.contains(map) && metadata[map].empty()) metadata.erase(map);
  }
}

void DefaultJob(json& job) {
  const std::string uid = job["metadata"]["uid"];
  json& spec = job["spec"];
  for (const auto& [name, value] :
       {std::pair{"parallelism", 1}, {"completions", 1}, {"backoffLimit", 6}}) {
    if (!spec.contains(name)) spec[name] = value;
  }
  spec["selector"] = {{"matchLabels", {{"controller-uid", uid}}}};
  json& metadata = spec["template"]["metadata"];
  DefaultMetadata(metadata);
  metadata["creationTimestamp"] = nullptr;
  metadata["labels"]["controller-uid"] = uid;
  metadata["labels"]["job-name"] = job["metadata"]["name"];
  DefaultPodSpec(spec["template"]["spec"]);
  job["status"] = json::object();
}

json PodOf(const json& job, const std::string& suffix) {
  const json& metadata = job["metadata"];
  const std::string name = metadata["name"];
  json pod{{"metadata", job["spec"]["template"]["metadata"]},
           {"spec", job["spec"]["template"]["spec"]},
           {"status", {{"phase", "Pending"}, {"qosClass", "Guaranteed"}}}};
  pod["metadata"]["generateName"] = name + "-";
  pod["metadata"]["name"] = name + "-" + suffix;
  pod["metadata"]["namespace"] = metadata["namespace"];
  pod["metadata"]["ownerReferences"] = json::array({{{"apiVersion", "batch/v1"},
                                                     {"kind", "Job"},
                                                     {"name", name},
                                                     {"uid", metadata["uid"]},
                                                     {"controller", true},
                                                     {"blockOwnerDeletion", true}}});
  json& spec = pod["spec"];
  spec["serviceAccount"] = "default";
  spec["serviceAccountName"] = "default";
  spec["priority"] = 0;
  spec["preemptionPolicy"] = "PreemptLowerPriority";
  for (const char* key : {"node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"}) {
    spec["tolerations"].push_back(Toleration(key));
  }
  return pod;
}

std::string StatusText(int code, const std::string& reason, const std::string& message,
                       const json& details) {
  return json{{"kind", "Status"},    {"apiVersion", "v1"}, {"metadata", json::object()},
              {"status", "Failure"}, {"message", message}, {"reason", reason},
              {"details", details},  {"code", code}}
      .dump();
}

std::string TooOldEvent(std::uint64_t version) {
  const std::string text = "too old resource version: " + std::to_string(version);
  const json status = json::parse(StatusText(410, "Expired", text, json::object()));
  return json{{"type", "ERROR"}, {"object", status}}.dump() + "\n";
}

std::string BookmarkEvent(const std::string& plural, std::uint64_t version) {
  return json{{"type", "BOOKMARK"},
              {"object",
               {{"kind", KindNameOf(plural)},
                {"apiVersion", ApiVersionOf(plural)},
                {"metadata",
                 {{"resourceVersion", std::to_string(version)}, {"creationTimestamp", nullptr}}}}}}
             .dump() +
         "\n";
}

void LeaveMetadata(json& list) {
  list["kind"] = "PartialObjectMetadataList";
  list["apiVersion"] = "meta.k8s.io/v1";
  for (json& item : list["items"]) item = {{"metadata", item["metadata"]}};
}

std::string ResourceName(const std::string& plural) {
  const std::string version = ApiVersionOf(plural);
  const std::size_t slash = version.find('/');
  return slash == std::string::npos ? plural : plural + "." + version.substr(0, slash);
}

json DetailsOf(const std::string& plural, const std::string& name) {
  const std::string version = ApiVersionOf(plural);
  const std::size_t slash = version.find('/');
  json details{{"kind", plural}, {"name", name}};
  if (slash != std::string::npos) details["group"] = version.substr(0, slash);
  return details;
}

}  // namespace tidewaiter::testing
