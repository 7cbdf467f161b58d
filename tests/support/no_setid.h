// What systemd's RestrictSUIDSGID= does to a service: chmod(2) and its kin may not set setuid or
// setgid, not even where they are set already. For a process of its own.
#pragma once

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include <array>
#include <cerrno>
#include <cstddef>

namespace tidewaiter::testing {

// False where it could not be done.
inline bool ForbidSetId() {
  constexpr unsigned kSetId = 06000;
  constexpr unsigned kRefuse = SECCOMP_RET_ERRNO | EPERM;
  constexpr auto kNumber = offsetof(seccomp_data, nr);
  const auto load = [](std::size_t at) -> sock_filter {
    return BPF_STMT(BPF_LD | BPF_W | BPF_ABS, static_cast<unsigned>(at));
  };
  const auto argument = [](std::size_t index) {
    return offsetof(seccomp_data, args) + index * sizeof(__u64);
  };
  std::array<sock_filter, 10> filter{{
      load(kNumber),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_chmod, 2, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_fchmod, 1, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_fchmodat, 2, 5),
      load(argument(1)),
      BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, kSetId, 2, 3),
      load(argument(2)),
      BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, kSetId, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, kRefuse),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  }};
  const sock_fprog program{.len = filter.size(), .filter = filter.data()};
  return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) == 0;
}

}  // namespace tidewaiter::testing
