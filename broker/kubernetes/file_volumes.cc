#include "broker/kubernetes/file_volumes.h"

#include <fmt/format.h>

#include <algorithm>
#include <variant>

#include "broker/kubernetes/labels.h"

namespace tidewaiter::kubernetes {
namespace {

constexpr std::string_view kProgram = "/tidewaiter-carrier";
constexpr std::string_view kPartsFolder = "/tidewaiter/parts";
constexpr std::string_view kInputsFolder = "/tidewaiter/inputs";
constexpr std::string_view kOutputsFolder = "/tidewaiter/outputs";
// In a volume: the carrier makes it, so that it is the run's user's and not root's.
constexpr std::string_view kFiles = "files";

// Enough to pack and unpack; it holds names, and no content.
constexpr std::string_view kCarrierCpu = "200m";
constexpr std::int64_t kCarrierMemory = std::int64_t{64} << 20U;
// A file system's own, and the carrier's log.
constexpr std::int64_t kVolumeOverhead = std::int64_t{64} << 20U;

template <typename Source>
std::vector<std::string> NamesOf(const policy::EffectiveRun& run) {
  std::vector<std::string> names;
  for (const policy::Mount& mount : run.mounts) {
    const auto* source = std::get_if<Source>(&mount.source);
    if (source == nullptr) continue;
    if (std::find(names.begin(), names.end(), source->name) == names.end()) {
      names.push_back(source->name);
    }
  }
  return names;
}

std::size_t IndexIn(const std::vector<std::string>& names, std::string_view name) {
  return static_cast<std::size_t>(std::find(names.begin(), names.end(), name) - names.begin());
}

std::string InputVolume(std::size_t index) {
  return fmt::format("input-{}", index);
}

std::string OutputVolume(std::size_t index) {
  return fmt::format("output-{}", index);
}

Json DiskVolume(std::string name, std::int64_t bytes) {
  return {{"name", std::move(name)}, {"emptyDir", {{"sizeLimit", std::to_string(bytes)}}}};
}

Json Carrier(std::string_view name, std::vector<std::string> arguments, std::int64_t storage,
             Json mounts, const policy::EffectiveRun& run, const KubernetesSettings& settings) {
  const Json amounts = {{"cpu", kCarrierCpu},
                        {"memory", std::to_string(kCarrierMemory)},
                        {"ephemeral-storage", std::to_string(storage)}};
  arguments.insert(arguments.begin(), std::string(kProgram));
  return {{"name", name},
          {"image", settings.carrier_image},
          {"imagePullPolicy", "IfNotPresent"},
          {"command", std::move(arguments)},
          {"resources", {{"requests", amounts}, {"limits", amounts}}},
          {"securityContext",
           {{"allowPrivilegeEscalation", false},
            {"capabilities", {{"drop", Json::array({"ALL"})}}},
            {"privileged", false},
            {"readOnlyRootFilesystem", true},
            {"runAsNonRoot", true},
            {"runAsUser", run.user.uid},
            {"runAsGroup", run.user.gid},
            {"seccompProfile", {{"type", "RuntimeDefault"}}}}},
          // Why it failed comes with the pod's status.
          {"terminationMessagePolicy", "FallbackToLogsOnError"},
          {"volumeMounts", std::move(mounts)}};
}

// All parts of all inputs, each input's in a folder of its own by its index. Names are of one
// length: their order is the parts'.
Json PartsVolume(const RunId& run_id, const std::vector<InputParts>& inputs) {
  Json sources = Json::array();
  std::size_t number = 0;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    for (std::size_t part = 0; part < inputs[i].parts; ++part) {
      sources.push_back(
          {{"secret",
            {{"name", SecretName(run_id, number++)},
             {"items",
              Json::array({{{"key", kSecretKey}, {"path", fmt::format("{}/{:06}", i, part)}}})}}}});
    }
  }
  return {{"name", "parts"}, {"projected", {{"sources", std::move(sources)}}}};
}

// What the carrier does before the job starts.
struct Preparation {
  std::vector<std::string> arguments{"prepare"};
  Json mounts = Json::array();
  std::int64_t storage = 0;
};

void AddInputs(FileVolumes& files, Preparation& preparation, const policy::EffectiveRun& run,
               const RunId& run_id, const std::vector<InputParts>& inputs,
               const KubernetesSettings& settings) {
  if (inputs.empty()) return;
  preparation.storage += InputStorage(run, settings);
  files.volumes.push_back(PartsVolume(run_id, inputs));
  preparation.mounts.push_back(
      {{"name", "parts"}, {"mountPath", kPartsFolder}, {"readOnly", true}});
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const std::string folder = fmt::format("{}/{}", kInputsFolder, i);
    files.volumes.push_back(DiskVolume(InputVolume(i), InputStorage(run, settings)));
    preparation.mounts.push_back({{"name", InputVolume(i)}, {"mountPath", folder}});
    for (std::string word : {std::string("input"), fmt::format("{}/{}", kPartsFolder, i),
                             fmt::format("{}/{}", folder, kFiles)}) {
      preparation.arguments.push_back(std::move(word));
    }
  }
}

void AddOutputs(FileVolumes& files, Preparation& preparation, const policy::EffectiveRun& run,
                const KubernetesSettings& settings) {
  const std::vector<std::string> outputs = OutputsOf(run);
  if (outputs.empty()) return;
  const std::int64_t storage = run.limits.output_bytes + kVolumeOverhead;
  Json mounts = Json::array();
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    // A plain name (policy/plain_name.h).
    const std::string folder = fmt::format("{}/{}", kOutputsFolder, outputs[i]);
    files.volumes.push_back(DiskVolume(OutputVolume(i), storage));
    preparation.mounts.push_back({{"name", OutputVolume(i)}, {"mountPath", folder}});
    for (std::string word : {std::string("output"), fmt::format("{}/{}", folder, kFiles)}) {
      preparation.arguments.push_back(std::move(word));
    }
    mounts.push_back({{"name", OutputVolume(i)}, {"mountPath", folder}, {"subPath", kFiles}});
  }
  files.containers.push_back(
      Carrier(kOutputsContainer, {"hold"}, storage, std::move(mounts), run, settings));
}

}  // namespace

std::vector<std::string> InputsOf(const policy::EffectiveRun& run) {
  return NamesOf<policy::InputMount>(run);
}

std::vector<std::string> OutputsOf(const policy::EffectiveRun& run) {
  return NamesOf<policy::OutputMount>(run);
}

std::string SecretName(const RunId& run_id, std::size_t number) {
  return fmt::format("{}-{}", ObjectName(run_id), number);
}

std::int64_t InputStorage(const policy::EffectiveRun& run, const KubernetesSettings& settings) {
  if (InputsOf(run).empty()) return 0;
  return std::min(run.limits.input_bytes, settings.max_input_bytes) + kVolumeOverhead;
}

FileVolumes FileVolumesOf(const policy::EffectiveRun& run, const RunId& run_id,
                          const std::vector<InputParts>& inputs,
                          const KubernetesSettings& settings) {
  FileVolumes files;
  Preparation preparation;
  AddInputs(files, preparation, run, run_id, inputs, settings);
  AddOutputs(files, preparation, run, settings);
  if (files.volumes.empty()) return files;
  // Of a run with outputs alone, too: a carrier that cannot be had ends it before its command runs.
  files.init_containers.push_back(Carrier(kPrepareContainer, std::move(preparation.arguments),
                                          std::max(preparation.storage, kVolumeOverhead),
                                          std::move(preparation.mounts), run, settings));
  return files;
}

Json FileMount(const policy::EffectiveRun& run, const policy::Mount& mount) {
  Json entry;
  if (const auto* input = std::get_if<policy::InputMount>(&mount.source)) {
    entry = {{"name", InputVolume(IndexIn(InputsOf(run), input->name))},
             {"mountPath", mount.target},
             {"subPath", kFiles}};
  } else if (const auto* output = std::get_if<policy::OutputMount>(&mount.source)) {
    entry = {{"name", OutputVolume(IndexIn(OutputsOf(run), output->name))},
             {"mountPath", mount.target},
             {"subPath", kFiles}};
  }
  if (!entry.is_null() && mount.read_only) entry["readOnly"] = true;
  return entry;
}

std::vector<std::string> PackCommand(std::string_view output, std::uint64_t max_bytes, bool last) {
  std::vector<std::string> command{std::string(kProgram), "pack",
                                   fmt::format("{}/{}", kOutputsFolder, output),
                                   std::to_string(max_bytes)};
  if (last) command.emplace_back("last");
  return command;
}

}  // namespace tidewaiter::kubernetes
