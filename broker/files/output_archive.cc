#include "broker/files/output_archive.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <cerrno>
#include <limits>
#include <optional>
#include <utility>

#include "base/printable.h"
#include "base/reclaim.h"
#include "base/unique_fd.h"
#include "broker/files/sha256.h"
#include "extract/folder_packer.h"
#include "extract/tar_sink.h"

namespace tidewaiter::files {
namespace {

// The client's end of the archive: counted and hashed on the way.
class Way {
 public:
  explicit Way(const run::ArchiveWriter& write) : write_(write) {}

  extract::Expected<void> Pass(std::string_view piece) {
    hash_.Add(piece);
    bytes_ += piece.size();
    const auto written = write_(piece);
    if (written) return {};
    error_ = written.error();
    return extract::Refuse(extract::Code::kWrite, "nobody takes it");
  }

  // Of `write`.
  [[nodiscard]] const std::optional<Error>& error() const { return error_; }
  [[nodiscard]] std::uint64_t bytes() const { return bytes_; }
  std::string Hash() { return hash_.Finish(); }

 private:
  const run::ArchiveWriter& write_;
  Sha256 hash_;
  std::uint64_t bytes_ = 0;
  std::optional<Error> error_;
};

Result<UniqueFd> OpenPacked(int folder_of_all, const std::string& name, const std::string& what,
                            std::string_view reason) {
  const auto open = [&] {
    return UniqueFd(
        ::openat(folder_of_all, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  };
  UniqueFd folder = open();
  // Its owner may have closed it.
  if (!folder && errno == EACCES && Reclaim(folder_of_all, name.c_str(), 0700, true))
    folder = open();
  if (folder) return folder;
  Error error = ErrnoError(errno, what);
  error.reason = reason;
  return error;
}

Error Stopped(const std::string& what, const run::Patience& patience) {
  if (patience.stop.stop_requested()) {
    return Fail(ErrorCode::kCancelled, what + ": the run was stopped");
  }
  return Fail(ErrorCode::kDeadlineExceeded, what + ": it took too long");
}

// `what`: for errors, whose reason is `reason`.
Result<run::OutputSummary> Pack(int folder, const std::string& what, std::string_view reason,
                                extract::PackOptions options, const run::ArchiveWriter& write,
                                const run::Patience& patience) {
  run::OutputSummary summary;
  Way way(write);
  bool stopped = false;
  options.reclaim = true;
  options.stopped = [&stopped, &patience] {
    stopped = patience.stop.stop_requested() || patience.deadline.Passed();
    return stopped;
  };
  extract::TarSink sink({}, [&way](std::string_view piece) { return way.Pass(piece); });
  const auto packed = extract::PackFolder(folder, options, sink);
  if (way.error()) return *way.error();
  if (stopped) return Stopped(what, patience);
  if (!packed) {
    const extract::Refusal& refusal = packed.error();
    return Fail(ErrorCode::kInternal,
                fmt::format("{}: {}: {}{}", what, ToString(refusal.code), refusal.message,
                            refusal.entry.empty() ? "" : ": '" + refusal.entry + "'"),
                reason);
  }
  summary.archive = {.entries = packed->entries,
                     .bytes = packed->bytes,
                     .archive_bytes = way.bytes(),
                     .sha256 = way.Hash()};
  return summary;
}

}  // namespace

Result<run::OutputSummary> SendOutput(int outputs, const std::string& name,
                                      const extract::Limits& limits,
                                      const run::ArchiveWriter& write,
                                      const run::Patience& patience) {
  constexpr std::string_view kReason = "OUTPUT_FAILED";
  const std::string what = "return output " + Quoted(name);
  run::Omissions omissions;
  extract::PackOptions options;
  options.limits = limits;
  options.on_omission = [&omissions](const extract::Omission& omission) {
    omissions.Add({.path = omission.path, .code = std::string(ToString(omission.code))});
  };
  TW_ASSIGN(const UniqueFd folder, OpenPacked(outputs, name, what, kReason));
  TW_ASSIGN(run::OutputSummary summary,
            Pack(folder.get(), what, kReason, std::move(options), write, patience));
  summary.omissions = std::move(omissions);
  return summary;
}

Result<void> SendInput(int inputs, const std::string& name, const run::ArchiveWriter& write,
                       const run::Patience& patience) {
  constexpr std::string_view kReason = "INPUT_FAILED";
  const std::string what = "read input " + Quoted(name);
  extract::PackOptions options;
  // What was unpacked here was within its limits.
  options.limits.max_bytes = std::numeric_limits<std::uint64_t>::max();
  options.limits.max_entries = std::numeric_limits<std::uint64_t>::max();
  TW_ASSIGN(const UniqueFd folder, OpenPacked(inputs, name, what, kReason));
  TW_TRY(Pack(folder.get(), what, kReason, std::move(options), write, patience));
  return Ok();
}

}  // namespace tidewaiter::files
