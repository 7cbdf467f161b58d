// A process of its own for what must work with CAP_CHOWN and no other right, as another user. For
// tests that run as root.
#pragma once

#include <grp.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <functional>

namespace tidewaiter::testing {

inline constexpr uid_t kOnlyChownUser = 64123;

// Whether `work` gave true there. With `capability` false it has not even that right.
inline bool WithOnlyChown(const std::function<bool()>& work, bool capability = true) {
  const pid_t child = ::fork();
  if (child == 0) {
    __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
    std::array<__user_cap_data_struct, 2> rights{};
    if (capability) rights[0].effective = rights[0].permitted = 1U << CAP_CHOWN;
    const bool ready = ::prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) == 0 && ::setgroups(0, nullptr) == 0 &&
                       ::setresgid(kOnlyChownUser, kOnlyChownUser, kOnlyChownUser) == 0 &&
                       ::setresuid(kOnlyChownUser, kOnlyChownUser, kOnlyChownUser) == 0 &&
                       ::syscall(SYS_capset, &header, rights.data()) == 0;
    ::_exit(ready && work() ? 0 : 1);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

}  // namespace tidewaiter::testing
