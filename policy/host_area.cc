#include "policy/host_area.h"

#include <algorithm>
#include <array>

namespace tidewaiter::policy {
namespace {

// The system's own, then the sockets and data folders of container engines and orchestrators, then
// the broker's default places. /run and /var/run are both listed, since the text is compared before
// links are looked at.
constexpr std::array<std::string_view, 73> kForbidden{"/etc",
                                                      "/proc",
                                                      "/sys",
                                                      "/dev",
                                                      "/root",
                                                      "/boot",
                                                      "/run/docker",
                                                      "/run/docker.sock",
                                                      "/run/containerd",
                                                      "/run/crio",
                                                      "/run/podman",
                                                      "/run/containers",
                                                      "/run/libpod",
                                                      "/run/k3s",
                                                      "/run/rke2",
                                                      "/run/dockershim.sock",
                                                      "/run/cri-dockerd",
                                                      "/run/cri-dockerd.sock",
                                                      "/run/buildkit",
                                                      "/run/nerdctl",
                                                      "/run/runc",
                                                      "/run/crun",
                                                      "/run/user",
                                                      "/run/lxd",
                                                      "/run/lxc",
                                                      "/run/incus",
                                                      "/run/systemd",
                                                      "/run/dbus",
                                                      "/run/tidewaiter",
                                                      "/var/run/docker",
                                                      "/var/run/docker.sock",
                                                      "/var/run/containerd",
                                                      "/var/run/crio",
                                                      "/var/run/podman",
                                                      "/var/run/containers",
                                                      "/var/run/libpod",
                                                      "/var/run/k3s",
                                                      "/var/run/rke2",
                                                      "/var/run/dockershim.sock",
                                                      "/var/run/cri-dockerd",
                                                      "/var/run/cri-dockerd.sock",
                                                      "/var/run/buildkit",
                                                      "/var/run/nerdctl",
                                                      "/var/run/runc",
                                                      "/var/run/crun",
                                                      "/var/run/user",
                                                      "/var/run/lxd",
                                                      "/var/run/lxc",
                                                      "/var/run/incus",
                                                      "/var/run/systemd",
                                                      "/var/run/dbus",
                                                      "/var/run/tidewaiter",
                                                      "/var/lib/docker",
                                                      "/var/lib/containerd",
                                                      "/var/lib/containers",
                                                      "/var/lib/crio",
                                                      "/var/lib/cri-dockerd",
                                                      "/var/lib/dockershim",
                                                      "/var/lib/buildkit",
                                                      "/var/lib/nerdctl",
                                                      "/var/lib/cni",
                                                      "/var/lib/kubelet",
                                                      "/var/lib/rancher",
                                                      "/var/lib/k0s",
                                                      "/var/lib/lxd",
                                                      "/var/lib/lxc",
                                                      "/var/lib/incus",
                                                      "/var/lib/tidewaiter",
                                                      "/var/log/tidewaiter",
                                                      "/var/snap/docker",
                                                      "/var/snap/lxd",
                                                      "/var/snap/microk8s",
                                                      "/var/snap/k8s"};

// Engine sockets wherever they are put.
constexpr std::array<std::string_view, 7> kSocketNames{
    "docker.sock",      "containerd.sock", "podman.sock",   "crio.sock",
    "cri-dockerd.sock", "dockershim.sock", "buildkitd.sock"};

// Whether two paths, neither of them "/", begin alike. Tells most apart without a call, for a
// decision asks about each of the forbidden places twice for every mount.
bool SameBegin(std::string_view path, std::string_view area) noexcept {
  return path.size() > 1 && path[1] == area[1];
}

std::optional<std::string_view> SocketName(std::string_view path) noexcept {
  const std::string_view name = path.substr(path.rfind('/') + 1);
  const auto* found = std::find(kSocketNames.begin(), kSocketNames.end(), name);
  if (found == kSocketNames.end()) return std::nullopt;
  return *found;
}

}  // namespace

bool IsAtOrBelowAny(std::string_view path, const std::vector<std::string>& areas) noexcept {
  for (; !path.empty(); path = path.substr(0, path.rfind('/'))) {
    if (std::binary_search(areas.begin(), areas.end(), path)) return true;
  }
  return false;
}

std::optional<std::string_view> ForbiddenSource(std::string_view source) noexcept {
  if (source == "/") return "/";
  for (const std::string_view area : kForbidden) {
    if (SameBegin(source, area) && Overlap(source, area)) return area;
  }
  return SocketName(source);
}

std::optional<std::string_view> ForbiddenTarget(std::string_view target) noexcept {
  if (target == "/") return "/";
  for (const std::string_view area : kForbidden) {
    if (SameBegin(target, area) && IsAtOrBelow(target, area)) return area;
  }
  return SocketName(target);
}

}  // namespace tidewaiter::policy
