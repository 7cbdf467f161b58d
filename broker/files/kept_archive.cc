#include "broker/files/kept_archive.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <string_view>
#include <utility>

#include "base/printable.h"
#include "base/unique_fd.h"

namespace tidewaiter::files {
namespace {

constexpr std::size_t kPieceBytes = std::size_t{256} << 10U;

std::string FileName(const std::string& name) {
  return name + ".tar";
}

class KeptArchive final : public run::ArchiveKeeper {
 public:
  KeptArchive(UniqueFd folder, std::string name, UniqueFd file,
              std::function<Result<void>()> check_room)
      : folder_(std::move(folder)),
        name_(std::move(name)),
        file_(std::move(file)),
        check_room_(std::move(check_room)) {}
  ~KeptArchive() override {
    if (!finished_) ::unlinkat(folder_.get(), FileName(name_).c_str(), 0);
  }
  KeptArchive(const KeptArchive&) = delete;
  KeptArchive& operator=(const KeptArchive&) = delete;

  Result<void> Write(std::string_view piece) override {
    TW_TRY(check_room_());
    while (!piece.empty()) {
      const ssize_t written = ::write(file_.get(), piece.data(), piece.size());
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) return Failed();
      piece.remove_prefix(static_cast<std::size_t>(written));
    }
    return Ok();
  }

  Result<void> Finish() override {
    if (::fsync(file_.get()) != 0 || ::fsync(folder_.get()) != 0) return Failed();
    finished_ = true;
    return Ok();
  }

 private:
  [[nodiscard]] Error Failed() const {
    Error error = ErrnoError(errno, "keep output " + Quoted(name_));
    error.reason = "OUTPUT_FAILED";
    return error;
  }

  const UniqueFd folder_;
  const std::string name_;
  const UniqueFd file_;
  const std::function<Result<void>()> check_room_;
  bool finished_ = false;
};

Result<void> CheckPatience(const std::string& what, const run::Patience& patience) {
  if (patience.stop.stop_requested()) return Fail(ErrorCode::kCancelled, what + ": stopped");
  if (!patience.deadline.Passed()) return Ok();
  return Fail(ErrorCode::kDeadlineExceeded, what + ": it took too long");
}

}  // namespace

Result<std::unique_ptr<run::ArchiveKeeper>> MakeKeptArchive(
    int folder, const std::string& name, std::function<Result<void>()> check_room) {
  constexpr int kFresh = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
  const std::string file_name = FileName(name);
  UniqueFd own(::fcntl(folder, F_DUPFD_CLOEXEC, 0));
  UniqueFd file;
  if (own && (::unlinkat(folder, file_name.c_str(), 0) == 0 || errno == ENOENT)) {
    file = UniqueFd(::openat(folder, file_name.c_str(), kFresh, 0600));
  }
  if (!file) {
    Error error = ErrnoError(errno, "keep output " + Quoted(name));
    error.reason = "OUTPUT_FAILED";
    return error;
  }
  return std::unique_ptr<run::ArchiveKeeper>(
      std::make_unique<KeptArchive>(std::move(own), name, std::move(file), std::move(check_room)));
}

Result<void> SendKeptArchive(int run, const std::string& name, const run::ArchiveWriter& write,
                             const run::Patience& patience) {
  const std::string what = "read output " + Quoted(name);
  const std::string path = std::string(run::kArchivesFolder) + "/" + FileName(name);
  const UniqueFd file(::openat(run, path.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
  if (!file) return ErrnoError(errno, what);
  std::string piece(kPieceBytes, '\0');
  while (true) {
    TW_TRY(CheckPatience(what, patience));
    const ssize_t got = ::read(file.get(), piece.data(), piece.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return ErrnoError(errno, what);
    if (got == 0) return Ok();
    TW_TRY(write(std::string_view(piece).substr(0, static_cast<std::size_t>(got))));
  }
}

}  // namespace tidewaiter::files
