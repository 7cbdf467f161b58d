#include "audit/ocsf_class.h"

#include <algorithm>
#include <array>

namespace tidewaiter::audit {
namespace {

constexpr std::string_view kSystem = "System Activity";
constexpr std::string_view kApplication = "Application Activity";
constexpr std::string_view kLifecycleName = "Application Lifecycle";
constexpr std::string_view kApiName = "API Activity";
constexpr std::string_view kProcessName = "Process Activity";
constexpr std::string_view kHostingName = "File Hosting Activity";
constexpr std::string_view kErrorName = "Application Error";
constexpr std::string_view kLogName = "Event Log Activity";

constexpr OcsfClass Lifecycle(std::string_view type, int activity, std::string_view name,
                              bool success = true) {
  return {type,     kOcsfLifecycle, kLifecycleName,  kApplication,
          activity, name,           success ? 1 : 3, success,
          {}};
}
constexpr OcsfClass Call(std::string_view type, int activity, std::string_view name, bool success,
                         std::string_view operation) {
  return {type, kOcsfApi,        kApiName, kApplication, activity,
          name, success ? 1 : 2, success,  operation};
}
constexpr OcsfClass Process(std::string_view type, int activity, std::string_view name) {
  return {type, kOcsfProcess, kProcessName, kSystem, activity, name, 1, true, {}};
}
constexpr OcsfClass Hosting(std::string_view type, int activity, std::string_view name) {
  return {type, kOcsfFileHosting, kHostingName, kApplication, activity, name, 1, true, {}};
}
constexpr OcsfClass Trouble(std::string_view type, int activity, std::string_view name,
                            int severity, bool success) {
  return {type, kOcsfError, kErrorName, kApplication, activity, name, severity, success, {}};
}
constexpr OcsfClass LogEvent(std::string_view type, int activity, std::string_view name,
                             int severity, bool success = false) {
  return {type, kOcsfEventLog, kLogName, kSystem, activity, name, severity, success, {}};
}

constexpr std::array kClasses = {
    Lifecycle("broker.started", 3, "Start"),
    Lifecycle("broker.stopped", 4, "Stop"),
    Lifecycle("config.loaded", 99, "Load Configuration"),
    Lifecycle("policy.loaded", 99, "Load Policy"),
    Lifecycle("policy.refused", 99, "Load Policy", /*success=*/false),
    Call("run.denied", 1, "Create", /*success=*/false, "Run"),
    Call("run.admitted", 1, "Create", /*success=*/true, "Run"),
    Call("run.cancelled", 4, "Delete", /*success=*/true, "Cancel"),
    Hosting("run.input", 1, "Upload"),
    Hosting("run.output", 2, "Download"),
    Hosting("run.expired", 4, "Delete"),
    Process("run.started", 1, "Launch"),
    Process("run.adopted", 3, "Open"),
    Process("run.finished", 2, "Terminate"),
    Trouble("teardown.overdue", 1, "General Error", 3, /*success=*/false),
    Trouble("teardown.settled", 99, "Error Resolved", 1, /*success=*/true),
    Trouble("journal.set_aside", 1, "General Error", 4, /*success=*/false),
    LogEvent("audit.truncated", 99, "Truncate", 3),
    LogEvent("audit.gap", 99, "Gap", 4),
    LogEvent("audit.removed", 2, "Delete", 1, /*success=*/true),
    LogEvent("audit.key_changed", 99, "Change Key", 1, /*success=*/true),
};

constexpr OcsfClass kOther = {{},   kOcsfBase, "Base Event", "Uncategorized", 99, "Other", 1,
                              true, {}};

}  // namespace

const OcsfClass& OcsfClassOf(std::string_view type) noexcept {
  const auto* const found =
      std::find_if(kClasses.begin(), kClasses.end(),
                   [type](const OcsfClass& each) { return each.type == type; });
  return found == kClasses.end() ? kOther : *found;
}

}  // namespace tidewaiter::audit
