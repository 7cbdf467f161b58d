#include "tests/support/cluster_exec.h"

#include <cstdlib>
#include <string_view>

#include "tests/support/cluster_pod.h"
#include "tests/support/cluster_recordings.h"
#include "tests/support/tar_bytes.h"

namespace tidewaiter::testing {

using nlohmann::json;

namespace {

constexpr const char* kCarrier = "/tidewaiter-carrier";
constexpr const char* kOutputs = "/tidewaiter/outputs/";

bool IsMounted(const json& container, const std::string& path) {
  for (const json& mount : container.value("volumeMounts", json::array())) {
    if (mount["mountPath"] == path) return true;
  }
  return false;
}

ExecDeed Failure(const std::string& message, const std::string& reason) {
  return {.status = json{
              {"metadata", json::object()},
              {"status", "Failure"},
              {"message", message},
              {"reason",
               reason}}.dump()};
}

}  // namespace

std::string StandInOutput(const std::string& name) {
  return TarBytes().File("origin", kOutputs + name).Ended();
}

ExecDeed DeedOfExec(const json& pod, const std::string& container,
                    const std::vector<std::string>& command) {
  if (!ContainerState(pod, container).contains("running")) {
    return Failure("error executing command in container: container not running", "InternalError");
  }
  const bool last = command.size() == 5 && command[4] == "last";
  if (command.size() < 4 || (command.size() == 5 && !last) || command.size() > 5 ||
      command[0] != kCarrier || command[1] != "pack" || container != kOutputsContainerName) {
    return Failure("command terminated with exit code 2", "NonZeroExitCode");
  }
  const std::string& folder = command[2];
  if (!folder.starts_with(kOutputs) || !IsMounted(ContainerNamed(pod, container), folder)) {
    ExecDeed deed = Failure("command terminated with exit code 1", "NonZeroExitCode");
    deed.err = "tidewaiter-carrier: pack " + folder + ": No such file or directory\n";
    return deed;
  }
  ExecDeed deed{.status = kubernetes::kExecSuccess, .ends_holder = last};
  if (std::strtoull(command[3].c_str(), nullptr, 10) < folder.size()) {
    deed.out = TarBytes().Ended();
    deed.err = "omitted too-many-bytes origin\npacked 0 0 1\n";
  } else {
    deed.out = StandInOutput(folder.substr(std::string_view(kOutputs).size()));
    deed.err = "packed 1 " + std::to_string(folder.size()) + " 0\n";
  }
  deed.err = "sent " + std::to_string(deed.out.size()) + "\n" + deed.err;
  return deed;
}

std::vector<std::string> CommandOf(const StandInRequest& request) {
  constexpr std::string_view kName = "command=";
  std::vector<std::string> words;
  for (std::size_t at = 0; at < request.query.size();) {
    const std::size_t end = std::min(request.query.find('&', at), request.query.size());
    const std::string_view one = std::string_view(request.query).substr(at, end - at);
    if (one.starts_with(kName)) words.push_back(PercentDecode(one.substr(kName.size())));
    at = end + 1;
  }
  return words;
}

}  // namespace tidewaiter::testing
