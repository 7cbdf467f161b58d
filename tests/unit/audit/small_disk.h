// A file system of a few MiB, mounted over a folder for as long as this lives. For root.
#pragma once

#include <fcntl.h>
#include <linux/loop.h>
#include <spawn.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <string>

#include "base/unique_fd.h"

namespace tidewaiter::audit {

class SmallDisk {
 public:
  static constexpr off_t kBytes = off_t{8} << 20U;

  SmallDisk() = default;
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;
  ~SmallDisk() {
    if (!folder_.empty()) ::umount2(folder_.c_str(), MNT_DETACH);
  }

  // In memory. False where this process may not.
  bool MountMemory(const std::string& folder) {
    const std::string options = "mode=0700,size=" + std::to_string(kBytes);
    return Mount("tmpfs", "tmpfs", folder, options.c_str());
  }

  // An ext4 in the file `image`, which is made. False where there is no mkfs.ext4 or no loop
  // device.
  bool MountExt4(const std::string& image, const std::string& folder) {
    const UniqueFd file(::open(image.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    if (!file || ::ftruncate(file.get(), kBytes) != 0 || !MakeExt4(image)) return false;
    const UniqueFd control(::open("/dev/loop-control", O_RDWR | O_CLOEXEC));
    const int number = control ? ::ioctl(control.get(), LOOP_CTL_GET_FREE) : -1;
    const std::string device = "/dev/loop" + std::to_string(number);
    const UniqueFd loop(number < 0 ? -1 : ::open(device.c_str(), O_RDWR | O_CLOEXEC));
    loop_config config{};
    config.fd = static_cast<__u32>(file.get());
    config.info.lo_flags = LO_FLAGS_AUTOCLEAR;  // it goes with the mount
    return loop && ::ioctl(loop.get(), LOOP_CONFIGURE, &config) == 0 &&
           Mount(device, "ext4", folder, "");
  }

 private:
  // Nothing of it is kept for root.
  static bool MakeExt4(const std::string& image) {
    std::array<std::string, 5> words{"mkfs.ext4", "-q", "-m", "0", image};
    std::array<char*, 6> arguments{};
    for (std::size_t i = 0; i < words.size(); ++i) arguments[i] = words[i].data();
    pid_t child = -1;
    int status = -1;
    for (const char* program : {"/usr/sbin/mkfs.ext4", "/sbin/mkfs.ext4"}) {
      if (::access(program, X_OK) != 0) continue;
      if (::posix_spawn(&child, program, nullptr, nullptr, arguments.data(), nullptr) != 0) break;
      return ::waitpid(child, &status, 0) == child && status == 0;
    }
    return false;
  }

  bool Mount(const std::string& what, const char* type, const std::string& folder,
             const char* options) {
    if (::mount(what.c_str(), folder.c_str(), type, MS_NOSUID | MS_NODEV, options) != 0) {
      return false;
    }
    folder_ = folder;
    return true;
  }

  std::string folder_;
};

}  // namespace tidewaiter::audit
