#include "extract/sandbox.h"

#include <linux/capability.h>
#include <linux/landlock.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <functional>
#include <memory>
#include <string>

#include "base/unique_fd.h"

namespace tidewaiter::extract {
namespace {

Error Cannot(const char* what) {
  Error error = ErrnoError(errno, std::string("give up ") + what);
  error.code = ErrorCode::kFailedPrecondition;
  return error;
}

Result<void> SetLimit(__rlimit_resource resource, std::uint64_t value) {
  const rlimit limit{.rlim_cur = value, .rlim_max = value};
  if (::setrlimit(resource, &limit) != 0) return Cannot("resources");
  return Ok();
}

Result<void> DropPrivileges() {
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return Cannot("new privileges");
  if (::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) return Cannot("being traced");
  // Up to the first that the kernel does not know. Without CAP_SETPCAP there is nothing to drop
  // that exec could give back, new privileges being gone.
  for (unsigned long capability = 0; ::prctl(PR_CAPBSET_READ, capability, 0, 0, 0) >= 0;
       ++capability) {
    if (::prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0 && errno != EPERM) {
      return Cannot("capabilities");
    }
  }
  __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  const std::array<__user_cap_data_struct, 2> none{};
  if (::syscall(SYS_capset, &header, none.data()) != 0) return Cannot("capabilities");
  return Ok();
}

// False where the kernel has none. What a later kernel adds to it is not asked for.
Result<bool> EnterLandlock(int directory) {
  TW_ASSIGN(const bool there, HasLandlock());
  if (!there) return false;
  landlock_ruleset_attr rules{};
  rules.handled_access_fs = (LANDLOCK_ACCESS_FS_MAKE_SYM << 1U) - 1;  // all of the first version
  const UniqueFd ruleset(
      static_cast<int>(::syscall(SYS_landlock_create_ruleset, &rules, sizeof(rules), 0)));
  if (!ruleset) return Cannot("other files (Landlock)");
  landlock_path_beneath_attr beneath{};
  beneath.allowed_access = LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_READ_DIR |
                           LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG;
  beneath.parent_fd = directory;
  if (::syscall(SYS_landlock_add_rule, ruleset.get(), LANDLOCK_RULE_PATH_BENEATH, &beneath, 0) !=
          0 ||
      ::syscall(SYS_landlock_restrict_self, ruleset.get(), 0) != 0) {
    return Cannot("other files (Landlock)");
  }
  return true;
}

Result<void> EnterSeccomp() {
  const std::unique_ptr<void, void (*)(scmp_filter_ctx)> filter(
      ::seccomp_init(SCMP_ACT_KILL_PROCESS), ::seccomp_release);
  if (!filter) return Cannot("system calls");
  // Threads that were started before it are held by it too, or it fails.
  int failed = ::seccomp_attr_set(filter.get(), SCMP_FLTATR_CTL_TSYNC, 1);
  for (const int call :
       {SCMP_SYS(read), SCMP_SYS(write), SCMP_SYS(close), SCMP_SYS(openat2), SCMP_SYS(mkdirat),
        SCMP_SYS(getdents64), SCMP_SYS(fstat), SCMP_SYS(fchmod), SCMP_SYS(munmap), SCMP_SYS(mremap),
        SCMP_SYS(brk), SCMP_SYS(madvise), SCMP_SYS(futex), SCMP_SYS(ppoll), SCMP_SYS(exit_group),
        SCMP_SYS(rt_sigreturn), SCMP_SYS(restart_syscall), SCMP_SYS(clock_gettime),
        SCMP_SYS(getrandom)}) {
    failed |= ::seccomp_rule_add(filter.get(), SCMP_ACT_ALLOW, call, 0);
  }
  // Memory, never code; and of its own, since neither what is shared nor what grows like a stack
  // counts against RLIMIT_DATA.
  failed |= ::seccomp_rule_add(
      filter.get(), SCMP_ACT_ALLOW, SCMP_SYS(mmap), 2, SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0),
      SCMP_A3(SCMP_CMP_MASKED_EQ, MAP_TYPE | MAP_GROWSDOWN | MAP_HUGETLB, MAP_PRIVATE));
  failed |= ::seccomp_rule_add(filter.get(), SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1,
                               SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
  failed |= ::seccomp_load(filter.get());
  if (failed != 0) {
    errno = failed < 0 ? -failed : EINVAL;
    return Cannot("system calls");
  }
  return Ok();
}

}  // namespace

Result<bool> HasLandlock() {
  const long version =
      ::syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
  if (version >= 1) return true;
  // Any other error, as of a filter that does not know the call, would hide what is there.
  if (errno == ENOSYS || errno == EOPNOTSUPP) return false;
  return Cannot("other files (Landlock)");
}

Result<Sandboxed> EnterSandbox(int directory, const SandboxLimits& limits,
                               const std::function<void()>& start_threads) {
  TW_TRY(SetLimit(RLIMIT_CORE, 0));
  TW_TRY(SetLimit(RLIMIT_FSIZE, limits.file_bytes));
  TW_TRY(SetLimit(RLIMIT_CPU, limits.cpu_seconds));
  TW_TRY(SetLimit(RLIMIT_NOFILE, limits.open_files));
  TW_TRY(SetLimit(RLIMIT_DATA, limits.memory_bytes));
  TW_TRY(DropPrivileges());
  TW_ASSIGN(const bool landlocked, EnterLandlock(directory));
  if (start_threads) start_threads();
  TW_TRY(EnterSeccomp());
  return Sandboxed{.landlocked = landlocked};
}

}  // namespace tidewaiter::extract
