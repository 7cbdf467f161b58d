#include "broker/forward/file_sink.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "audit/signed_note.h"
#include "base/durable_file.h"
#include "base/printable.h"
#include "base/unique_fd.h"

namespace tidewaiter::forward {

std::string FileSink::Name() const {
  return "file " + Quoted(path_);
}

Result<std::optional<std::string>> FileSink::Kept(const std::stop_token& /*stop*/,
                                                  Deadline /*deadline*/) {
  const std::string what = "read " + Quoted(path_);
  const UniqueFd fd(::open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!fd && errno == ENOENT) return std::optional<std::string>();
  if (!fd) return ErrnoError(errno, what);
  // Longer than any checkpoint is: none.
  std::string content(audit::kMaxNoteBytes, '\0');
  const ssize_t size = ::read(fd.get(), content.data(), content.size());
  if (size < 0) return ErrnoError(errno, what);
  content.resize(static_cast<std::size_t>(size));
  return std::optional<std::string>(std::move(content));
}

Result<void> FileSink::Publish(const std::string& note, const std::stop_token& /*stop*/,
                               Deadline /*deadline*/) {
  constexpr mode_t kForEveryone = S_IRUSR | S_IWUSR | S_IRGRP | S_IROTH;
  const std::size_t slash = path_.rfind('/');
  const std::string folder = slash == 0 ? "/" : path_.substr(0, slash);
  // Not one of the broker's own folders: whoever may write there can replace the file anyway.
  const UniqueFd fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd) return ErrnoError(errno, "open folder " + Quoted(folder));
  return ReplaceDurably(fd.get(), path_.substr(slash + 1), note, kForEveryone);
}

}  // namespace tidewaiter::forward
