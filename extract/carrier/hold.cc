#include "extract/carrier/hold.h"

#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <string>
#include <thread>

namespace tidewaiter::extract {
namespace {

using std::chrono::milliseconds;

// For whoever asks how the last packing ended: its answer comes by way of the container.
constexpr milliseconds kFarewell(300);
constexpr milliseconds kLook(100);
constexpr pid_t kFirst = 1;

bool IsAlone() {
  return ::kill(-1, 0) != 0 && errno == ESRCH;
}

bool IsThisProgram(pid_t process) {
  struct stat own {};
  struct stat other {};
  const std::string path = "/proc/" + std::to_string(process) + "/exe";
  return ::stat("/proc/self/exe", &own) == 0 && ::stat(path.c_str(), &other) == 0 &&
         own.st_dev == other.st_dev && own.st_ino == other.st_ino;
}

}  // namespace

int Hold() {
  // Nobody else waits for what process 1 inherits.
  std::signal(SIGCHLD, SIG_IGN);
  sigset_t signals;
  ::sigemptyset(&signals);
  ::sigaddset(&signals, SIGTERM);
  ::sigaddset(&signals, SIGUSR1);
  // What is blocked reaches process 1, too, which hears no signal that it does not handle.
  ::sigprocmask(SIG_BLOCK, &signals, nullptr);
  while (::sigwaitinfo(&signals, nullptr) < 0) {
  }
  // Asked again and again: what runs here by pods/exec is no child of this process, and nothing
  // tells of its end. For as long as that lasts; the pod's own grace and deadline bound it.
  do {
    while (!IsAlone()) std::this_thread::sleep_for(kLook);
    std::this_thread::sleep_for(kFarewell);
  } while (!IsAlone());
  return 0;
}

void Release() {
  if (IsThisProgram(kFirst)) ::kill(kFirst, SIGUSR1);
}

}  // namespace tidewaiter::extract
