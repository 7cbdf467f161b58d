#include "tests/unit/audit/durability/durable_calls.h"

#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <mutex>

namespace tidewaiter::audit {
namespace {

struct Notes {
  std::mutex mutex;
  bool on = false;
  std::vector<std::string> seen;
  std::function<void(const std::string&)> told;
};

Notes& TheNotes() {
  static Notes notes;
  return notes;
}

std::string NameOf(int fd) {
  struct stat status {};
  if (::fstat(fd, &status) == 0 && S_ISDIR(status.st_mode)) return ".";
  std::array<char, 4096> target{};
  const std::string link = "/proc/self/fd/" + std::to_string(fd);
  const ssize_t size = ::readlink(link.c_str(), target.data(), target.size());
  const std::string path(target.data(), size < 0 ? 0 : static_cast<std::size_t>(size));
  return path.substr(path.rfind('/') + 1);
}

template <typename Make>
int Note(const std::string& call, Make make) {
  std::function<void(const std::string&)> told;
  {
    const std::lock_guard lock(TheNotes().mutex);
    if (TheNotes().on) told = TheNotes().told;
  }
  if (told) told(call);
  const auto result = static_cast<int>(make());
  const std::lock_guard lock(TheNotes().mutex);
  if (result == 0 && TheNotes().on) TheNotes().seen.push_back(call);
  return result;
}

}  // namespace

DurableCalls::DurableCalls() {
  const std::lock_guard lock(TheNotes().mutex);
  TheNotes().seen.clear();
  TheNotes().told = nullptr;
  TheNotes().on = true;
}

DurableCalls::~DurableCalls() {
  const std::lock_guard lock(TheNotes().mutex);
  TheNotes().on = false;
}

std::vector<std::string> DurableCalls::Seen() {
  const std::lock_guard lock(TheNotes().mutex);
  return TheNotes().seen;
}

void DurableCalls::Before(std::function<void(const std::string&)> told) {
  const std::lock_guard lock(TheNotes().mutex);
  TheNotes().told = std::move(told);
}

}  // namespace tidewaiter::audit

using tidewaiter::audit::NameOf;
using tidewaiter::audit::Note;

// NOLINTBEGIN(readability-inconsistent-declaration-parameter-name): they are the C library's
extern "C" {
int fsync(int fd) {
  return Note("sync " + NameOf(fd), [fd] { return ::syscall(SYS_fsync, fd); });
}
int fdatasync(int fd) {
  return Note("sync " + NameOf(fd), [fd] { return ::syscall(SYS_fdatasync, fd); });
}
int renameat(int from_folder, const char* from, int to_folder, const char* to) noexcept {
  return Note(std::string("rename ") + from + ' ' + to,
              [=] { return ::syscall(SYS_renameat2, from_folder, from, to_folder, to, 0); });
}
int unlinkat(int folder, const char* name, int flags) noexcept {
  return Note(std::string("remove ") + name,
              [=] { return ::syscall(SYS_unlinkat, folder, name, flags); });
}
}
// NOLINTEND(readability-inconsistent-declaration-parameter-name)
