#include "broker/files/output_archive.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <cerrno>
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
  explicit Way(const run::RunFiles::Write& write) : write_(write) {}

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
  const run::RunFiles::Write& write_;
  Sha256 hash_;
  std::uint64_t bytes_ = 0;
  std::optional<Error> error_;
};

Result<UniqueFd> OpenOutput(int outputs, const std::string& name, const std::string& what) {
  const auto open = [&] {
    return UniqueFd(
        ::openat(outputs, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  };
  UniqueFd folder = open();
  // Its owner may have closed it.
  if (!folder && errno == EACCES && Reclaim(outputs, name.c_str(), 0700, true)) folder = open();
  if (folder) return folder;
  Error error = ErrnoError(errno, what);
  error.reason = "OUTPUT_FAILED";
  return error;
}

Error Stopped(const std::string& what, const run::Patience& patience) {
  if (patience.stop.stop_requested()) {
    return Fail(ErrorCode::kCancelled, what + ": the run was stopped");
  }
  return Fail(ErrorCode::kDeadlineExceeded, what + ": it took too long");
}

}  // namespace

Result<run::OutputSummary> SendOutput(int outputs, const std::string& name,
                                      const extract::Limits& limits,
                                      const run::RunFiles::Write& write,
                                      const run::Patience& patience) {
  const std::string what = "return output " + Quoted(name);
  run::OutputSummary summary;
  Way way(write);
  bool stopped = false;
  const extract::PackOptions options{
      .limits = limits,
      .on_omission =
          [&summary](const extract::Omission& omission) {
            ++summary.omitted;
            if (summary.omissions.size() == run::OutputSummary::kMaxOmissions) return;
            summary.omissions.push_back(
                {.path = omission.path, .code = std::string(ToString(omission.code))});
          },
      .reclaim = true,
      .stopped =
          [&stopped, &patience] {
            stopped = patience.stop.stop_requested() || patience.deadline.Passed();
            return stopped;
          }};
  TW_ASSIGN(const UniqueFd folder, OpenOutput(outputs, name, what));
  extract::TarSink sink({}, [&way](std::string_view piece) { return way.Pass(piece); });
  const auto packed = extract::PackFolder(folder.get(), options, sink);
  if (way.error()) return *way.error();
  if (stopped) return Stopped(what, patience);
  if (!packed) {
    const extract::Refusal& refusal = packed.error();
    return Fail(ErrorCode::kInternal,
                fmt::format("{}: {}: {}{}", what, ToString(refusal.code), refusal.message,
                            refusal.entry.empty() ? "" : ": '" + refusal.entry + "'"),
                "OUTPUT_FAILED");
  }
  summary.archive = {.entries = packed->entries,
                     .bytes = packed->bytes,
                     .archive_bytes = way.bytes(),
                     .sha256 = way.Hash()};
  return summary;
}

}  // namespace tidewaiter::files
