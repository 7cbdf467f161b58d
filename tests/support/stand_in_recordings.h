// Parts of answers that the stand-in engine gives as they were recorded from Docker 20.10.24, and
// what it needs to read and write them.
#pragma once

#include <cstddef>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace tidewaiter::testing {

// What HostConfig of an inspect says where the create call left it out.
inline constexpr const char* kHostConfigDefaults = R"({
  "Binds":null,"ContainerIDFile":"","PortBindings":null,"AutoRemove":false,"VolumeDriver":"","VolumesFrom":null,
  "CapAdd":null,"CapDrop":null,"CgroupnsMode":"host","Dns":null,"DnsOptions":null,"DnsSearch":null,"ExtraHosts":null,
  "GroupAdd":null,"IpcMode":"private","Cgroup":"","Links":null,"OomScoreAdj":0,"PidMode":"","Privileged":false,
  "PublishAllPorts":false,"ReadonlyRootfs":false,"SecurityOpt":null,"UTSMode":"","UsernsMode":"","ShmSize":67108864,
  "Runtime":"runc","ConsoleSize":[0,0],"Isolation":"","CpuShares":0,"Memory":0,"NanoCpus":0,"CgroupParent":"",
  "BlkioWeight":0,"BlkioWeightDevice":null,"BlkioDeviceReadBps":null,"BlkioDeviceWriteBps":null,
  "BlkioDeviceReadIOps":null,"BlkioDeviceWriteIOps":null,"CpuPeriod":0,"CpuQuota":0,"CpuRealtimePeriod":0,
  "CpuRealtimeRuntime":0,"CpusetCpus":"","CpusetMems":"","Devices":null,"DeviceCgroupRules":null,
  "DeviceRequests":null,"KernelMemory":0,"KernelMemoryTCP":0,"MemoryReservation":0,"MemorySwap":0,
  "MemorySwappiness":null,"OomKillDisable":false,"PidsLimit":null,"Ulimits":null,"CpuCount":0,"CpuPercent":0,
  "IOMaximumIOps":0,"IOMaximumBandwidth":0,
  "MaskedPaths":["/proc/asound","/proc/acpi","/proc/kcore","/proc/keys","/proc/latency_stats","/proc/timer_list",
    "/proc/timer_stats","/proc/sched_debug","/proc/scsi","/sys/firmware"],
  "ReadonlyPaths":["/proc/bus","/proc/fs","/proc/irq","/proc/sys","/proc/sysrq-trigger"]})";

inline constexpr const char* kConfigDefaults = R"({
  "Domainname":"","User":"","AttachStdin":false,"AttachStdout":false,"AttachStderr":false,"Tty":false,
  "OpenStdin":false,"StdinOnce":false,"Env":null,"Cmd":null,"Volumes":null,"WorkingDir":"","Entrypoint":null,
  "OnBuild":null,"Labels":{}})";

inline constexpr const char* kVersion =
    R"({"Platform":{"Name":""},"Version":"20.10.24+dfsg1","ApiVersion":"1.41",
  "MinAPIVersion":"1.12","GitCommit":"5d6db84","GoVersion":"go1.19.8","Os":"linux","Arch":"amd64"})";

inline constexpr const char* kInfo =
    R"({"OSType":"linux","DockerRootDir":"/srv/engine","Runtimes":{"runc":{"path":"runc"}},)"
    R"("Plugins":{"Log":["awslogs","fluentd","json-file","local","syslog"]},)"
    R"("SecurityOptions":["name=seccomp,profile=default"]})";

// The event of a container that has ended; its labels stand among the attributes.
inline std::string DieEvent(const std::string& id, const std::string& name,
                            const nlohmann::json& labels, const char* image, int exit_code) {
  nlohmann::json attributes = labels;
  attributes["exitCode"] = std::to_string(exit_code);
  attributes["name"] = name;
  attributes["image"] = image;
  return nlohmann::json{{"status", "die"},
                        {"id", id},
                        {"from", image},
                        {"Type", "container"},
                        {"Action", "die"},
                        {"Actor", {{"ID", id}, {"Attributes", attributes}}},
                        {"scope", "local"},
                        {"time", 1795316535},
                        {"timeNano", 1795316535803717079}}
      .dump();
}

inline std::string Message(const std::string& text) {
  return nlohmann::json{{"message", text}}.dump();
}

// `/v1.41/containers/x` without the version.
inline std::string WithoutVersion(const std::string& path) {
  if (path.starts_with("/v1.")) return path.substr(path.find('/', 1));
  return path;
}

inline std::string QueryValue(const std::string& query, const std::string& name) {
  const std::size_t at = query.find(name + "=");
  if (at == std::string::npos) return "";
  const std::size_t start = at + name.size() + 1;
  return query.substr(start, query.find('&', start) - start);
}

// A stdout frame of the multiplexed stream (Docker API, "ContainerAttach").
inline std::string Frame(std::string_view payload) {
  std::string frame(8, '\0');
  frame[0] = 1;
  for (std::size_t i = 0; i < 4; ++i) {
    frame[4 + i] = static_cast<char>((payload.size() >> (8 * (3 - i))) & 0xffU);
  }
  return frame + std::string(payload);
}

}  // namespace tidewaiter::testing
