#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <nlohmann/json.hpp>
#include <stop_token>
#include <string>
#include <vector>

#include "base/printable.h"
#include "base/unique_fd.h"
#include "client/commands/commands.h"
#include "client/commands/json_text.h"
#include "client/commands/quantity_text.h"
#include "client/commands/signal_watch.h"
#include "client/exit_status.h"
#include "client/terminal_text.h"
#include "extract/staging.h"
#include "extract/worker_process.h"

namespace tidewaiter::cli {
namespace {

struct Options {
  bool json = false;
  std::string max_bytes;
  extract::Limits limits;
};

// A line that is drawn over itself. Nothing where stderr is no terminal.
class Progress {
 public:
  explicit Progress(int archive) : archive_(archive) {
    struct stat status {};
    if (::fstat(archive, &status) == 0 && S_ISREG(status.st_mode)) size_ = status.st_size;
  }
  ~Progress() {
    if (drawn_) Draw("");
  }

  void Show(const extract::Summary& summary) {
    if (!terminal_.is_terminal()) return;
    std::string line = fmt::format("{} files and folders, {}", summary.entries,
                                   FormatBytes(static_cast<std::int64_t>(summary.bytes)));
    // The worker reads through the same open file, so this is how far it has come.
    const off_t at = size_ > 0 ? ::lseek(archive_, 0, SEEK_CUR) : -1;
    if (at >= 0) line = fmt::format("{:3} %  ", at * 100 / size_) + line;
    Draw(line);
    drawn_ = true;
  }

 private:
  static void Draw(const std::string& line) { fmt::print(stderr, "\r\x1b[K{}", line); }

  const int archive_;
  off_t size_ = 0;
  bool drawn_ = false;
  const client::Terminal terminal_ = client::Terminal::Of(STDERR_FILENO);
};

int Tell(const extract::Refusal& refusal, bool json) {
  if (json) {
    return PrintLine(JsonLine({{"extracted", false},
                               {"code", extract::ToString(refusal.code)},
                               {"message", refusal.message},
                               {"entry", refusal.entry}}),
                     client::kExitNo);
  }
  Complain(fmt::format("refused: {}: {}{}", extract::ToString(refusal.code), refusal.message,
                       refusal.entry.empty() ? "" : ": '" + refusal.entry + "'"));
  return client::kExitNo;
}

int Extract(const std::string& path, const std::string& destination, const Options& options) {
  UniqueFd file;
  if (path != "-") {
    file = UniqueFd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!file) return Complain(ErrnoError(errno, "open " + Quoted(path)), client::kExitUsage);
  }
  const int archive = path == "-" ? STDIN_FILENO : file.get();
  // From here on a signal ends the worker, and what was staged is removed as after any refusal.
  std::stop_source stop;
  const auto signals = SignalWatch::Start([&stop](int) { stop.request_stop(); });
  if (!signals) return Complain(signals.error(), client::kExitUsage);
  auto staging = extract::Staging::Open(destination);
  if (!staging) return Complain(staging.error(), client::kExitUsage);
  auto worker = extract::WorkerProcess::Start(extract::WorkerBesideThisProgram(), archive,
                                              staging->fd(), options.limits);
  if (!worker) return Tell(worker.error(), options.json);
  Progress progress(archive);
  const auto summary =
      worker->Wait(stop.get_token(), [&](const extract::Summary& now) { progress.Show(now); });
  if (!summary) return Tell(summary.error(), options.json);
  if (const auto committed = staging->Commit(); !committed) {
    return Tell({extract::Code::kWrite, committed.error().message, {}}, options.json);
  }
  if (!options.json) return client::kExitYes;
  return PrintLine(
      JsonLine({{"extracted", true}, {"entries", summary->entries}, {"bytes", summary->bytes}}),
      client::kExitYes);
}

}  // namespace

void AddExtract(CLI::App& app, Invocation& invocation) {
  CLI::App& command = AddCommand(
      app, {.name = "extract",
            .summary = "Unpack a tar archive that strangers packed",
            .arguments = "ARCHIVE DEST",
            .details =
                "ARCHIVE is a tar (ustar, pax, GNU, v7), plain or compressed with gzip, zstd, xz\n"
                "or bzip2; - reads it from stdin. DEST is absent or an empty folder. It gets all\n"
                "of the archive or nothing. Only files and folders come out; what could be read\n"
                "in more than one way is refused.\n"
                "Exit status: 0 extracted, 1 refused, 2 usage, or DEST is not empty.\n"
                "JSON: extracted; entries and bytes, or code, message and entry.\n"
                "Example: tidewaiter extract --max-bytes 100m upload.tar.gz job"});
  auto options = std::make_shared<Options>();
  extract::Limits& limits = options->limits;
  AddJsonFlag(command, options->json);
  command.add_option("--max-bytes", options->max_bytes, "Of all content (default 1g)")
      ->type_name("SIZE");
  command.add_option("--max-entries", limits.max_entries, "Files and folders (default 100000)")
      ->check(CLI::PositiveNumber)
      ->type_name("N");
  command.add_option("--max-depth", limits.max_depth, "Components of a path (default 64)")
      ->check(CLI::PositiveNumber)
      ->type_name("N");
  command.add_option("--max-path", limits.max_path, "Bytes of a path (default 1024)")
      ->check(CLI::PositiveNumber)
      ->type_name("N");
  command
      .add_option("--max-ratio", limits.max_ratio,
                  "Bytes out for each byte in, once 16 MiB are out (default 1000)")
      ->check(CLI::PositiveNumber)
      ->type_name("N");
  command.callback([&command, &invocation, options] {
    const std::vector<std::string> words = Positionals(command, invocation);
    if (words.size() != 2) ThrowUsage("extract needs an ARCHIVE and a DEST");
    if (!options->max_bytes.empty()) {
      const auto bytes = ParseByteSize(options->max_bytes);
      if (!bytes || *bytes <= 0) ThrowUsage("--max-bytes: a size such as 100m");
      options->limits.max_bytes = static_cast<std::uint64_t>(*bytes);
    }
    invocation.action = [archive = words[0], destination = words[1], options] {
      return Extract(archive, destination, *options);
    };
  });
}

}  // namespace tidewaiter::cli
