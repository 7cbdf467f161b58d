#include "client/commands/run_presenter.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/printable.h"
#include "client/commands/files.h"
#include "client/commands/invocation.h"
#include "client/commands/json_text.h"
#include "client/commands/quantity_text.h"
#include "client/exit_status.h"
#include "client/terminal_text.h"
#include "client/violation_text.h"

namespace tidewaiter::cli {
namespace {

std::chrono::milliseconds ToMillis(const google::protobuf::Duration& duration) {
  constexpr std::int64_t kMost = std::int64_t{1} << 40;
  const std::int64_t seconds = std::clamp<std::int64_t>(duration.seconds(), -kMost, kMost);
  return std::chrono::milliseconds(seconds * 1000 + duration.nanos() / 1'000'000);
}

// The engine's ids are 64 hexadecimal digits, of which docker, too, shows people twelve.
std::string ShortId(std::string_view id) {
  constexpr std::size_t kFullId = 64;
  constexpr std::size_t kShortId = 12;
  const bool hexadecimal = id.find_first_not_of("0123456789abcdef") == std::string_view::npos;
  return client::TerminalSafe(
      id.substr(0, id.size() == kFullId && hexadecimal ? kShortId : id.size()));
}

std::string RemovalText(const v1::Removal& removal) {
  std::string line = client::TerminalSafe(removal.kind()) + ' ' + ShortId(removal.id()) +
                     (removal.confirmed_absent() ? ": removed" : ": not removed");
  if (!removal.error().empty()) line += ": " + client::TerminalSafe(removal.error());
  return line;
}

}  // namespace

RunPresenter::RunPresenter(RunDisplay display, int abort_fd)
    : display_(display),
      terminal_(client::Terminal::Of(STDERR_FILENO)),
      stdout_(STDOUT_FILENO, abort_fd),
      stderr_(STDERR_FILENO, abort_fd),
      progress_(terminal_) {}

Result<void> RunPresenter::Show(const v1::RunEvent& event) {
  switch (event.event_case()) {
    case v1::RunEvent::kAdmitted:
      run_id_ = client::TerminalSafe(event.admitted().run_id());
      timeout_text_ = FormatDuration(ToMillis(event.admitted().effective().limits().timeout()));
      output_bytes_ = static_cast<std::uint64_t>(
          std::max<std::int64_t>(event.admitted().effective().limits().output_bytes(), 0));
      memory_text_ = FormatBytes(event.admitted().effective().limits().memory_bytes());
      break;
    case v1::RunEvent::kDenied: exit_status_ = client::kExitDenied; break;
    case v1::RunEvent::kResult: exit_status_ = client::ExitStatusOf(event.result()); break;
    default: break;
  }
  if (display_.json) {
    // Their data went into the folder; only the last of them says anything else.
    if (event.has_output_piece() && !event.output_piece().has_end()) return Ok();
    return stdout_.Write(EventLine(event) + '\n');
  }
  switch (event.event_case()) {
    case v1::RunEvent::kDenied:
      denial_shown_ = true;
      WriteStderr(terminal_.Paint(client::Style::kBold, "tidewaiter:") + ' ' +
                  client::DenialText(event.denied(), terminal_));
      break;
    case v1::RunEvent::kQueued:
      Remark(fmt::format("waiting for a free slot; {} ahead", event.queued().ahead()));
      break;
    case v1::RunEvent::kImageProgress: ShowProgress(event.image_progress()); break;
    case v1::RunEvent::kStarted: WriteStderr({}); break;
    case v1::RunEvent::kOutput: return ShowOutput(event.output());
    case v1::RunEvent::kOutputPiece:
      taken_bytes_ += event.output_piece().data().size();
      ShowTransfer("taking output " + Quoted(event.output_piece().name()), taken_bytes_);
      if (event.output_piece().has_end()) ShowOutputEnd(event.output_piece());
      break;
    case v1::RunEvent::kTruncated: ShowTruncated(event.truncated()); break;
    case v1::RunEvent::kResult: ShowResult(event.result()); break;
    case v1::RunEvent::kReceipt: ShowReceipt(event.receipt()); break;
    default: break;
  }
  return Ok();
}

Result<void> RunPresenter::ShowFailure(const client::RpcFailure& failure) {
  if (display_.json) {
    nlohmann::ordered_json error{{"code", ToString(failure.error.code)},
                                 {"reason", failure.error.Reason()},
                                 {"message", failure.error.message}};
    if (failure.retry_after) error["retryAfterMillis"] = failure.retry_after->count();
    return stdout_.Write(JsonLine({{"error", std::move(error)}}) + '\n');
  }
  if (denial_shown_) return Ok();
  std::string text = failure.error.message;
  if (failure.retry_after) {
    text += fmt::format("; try again in {}", FormatDuration(*failure.retry_after));
  }
  Warn(text);
  return Ok();
}

void RunPresenter::Remark(std::string_view text) {
  if (!display_.quiet) Warn(text);
}

void RunPresenter::AwaitReceipt() {
  const std::lock_guard lock(mutex_);
  await_receipt_ = true;
}

Result<void> RunPresenter::ShowOutput(const v1::Output& output) {
  if (!output.data().empty()) {
    const std::lock_guard lock(mutex_);
    line_open_ = output.data().back() != '\n';
  }
  return (output.stream() == v1::Output::STDERR ? stderr_ : stdout_).Write(output.data());
}

void RunPresenter::ShowProgress(const v1::ImageProgress& progress) {
  if (display_.quiet || !terminal_.is_terminal()) return;
  const std::lock_guard lock(mutex_);
  static_cast<void>(WriteAll(STDERR_FILENO, ClearTransfer() + progress_.Update(progress)));
}

void RunPresenter::ShowTransfer(std::string_view what, std::uint64_t bytes) {
  constexpr std::chrono::milliseconds kInterval(100);
  if (display_.quiet || display_.json || !terminal_.is_terminal()) return;
  const std::lock_guard lock(mutex_);
  const auto now = std::chrono::steady_clock::now();
  if (now < next_transfer_) return;
  next_transfer_ = now + kInterval;
  const std::string line =
      fmt::format("{}: {}", client::TerminalSafe(what, 60),
                  FormatBytes(static_cast<std::int64_t>(
                      std::min<std::uint64_t>(bytes, std::numeric_limits<std::int64_t>::max()))));
  // The job's last line may be open still: it stays.
  std::string out = std::exchange(line_open_, false) ? "\n" : ClearTransfer();
  out += client::Fit(
      line, std::min(client::ColumnsOf(line), static_cast<std::size_t>(terminal_.columns()) - 1));
  transfer_drawn_ = true;
  static_cast<void>(WriteAll(STDERR_FILENO, out));
}

std::string RunPresenter::ClearTransfer() {
  // ECMA-48 EL (erase to the end of the line).
  return std::exchange(transfer_drawn_, false) ? "\r\x1b[K" : "";
}

void RunPresenter::ShowOutputEnd(const v1::OutputPiece& piece) {
  constexpr int kMostShown = 20;
  taken_bytes_ = 0;
  WriteStderr({});
  if (display_.quiet) return;
  const std::string name = Quoted(piece.name());
  const v1::OutputEnd& end = piece.end();
  const int shown = std::min(end.omissions_size(), kMostShown);
  for (int i = 0; i < shown; ++i) {
    const v1::Omission& omission = end.omissions(i);
    Warn(fmt::format("output {}: left behind '{}': {}", name, omission.path(), omission.code()));
  }
  if (end.omitted() > static_cast<std::uint64_t>(shown)) {
    Warn(fmt::format("output {}: and {} more left behind", name,
                     end.omitted() - static_cast<std::uint64_t>(shown)));
  }
}

void RunPresenter::ShowTruncated(const v1::Truncated& truncated) {
  const std::string dropped = FormatBytes(truncated.dropped_bytes());
  if (truncated.reason() == "LOG_LIMIT") {
    Warn(fmt::format("output cut: {} dropped beyond the limit (--log-bytes)", dropped));
  } else if (truncated.reason() == "SLOW_CLIENT") {
    Warn(fmt::format("output cut: {} dropped, since it was not read", dropped));
  } else if (truncated.reason() == "RUN_STOPPED") {
    Warn("output cut: the run was stopped before all of it had come");
  } else {
    Warn(fmt::format("output cut: {} or more lost ({})", dropped, truncated.reason()));
  }
}

void RunPresenter::ShowResult(const v1::RunResult& result) {
  switch (result.outcome()) {
    case v1::RunResult::EXITED: break;
    case v1::RunResult::TIMED_OUT: Warn("timed out after " + timeout_text_); break;
    case v1::RunResult::CANCELLED: Remark("cancelled"); break;
    case v1::RunResult::SHUTDOWN: Warn("the broker shut down and stopped the run"); break;
    default:
      Warn(result.message().empty() ? v1::RunResult::Outcome_Name(result.outcome())
                                    : result.message());
  }
  if (result.oom_killed()) {
    Warn(fmt::format("the kernel killed a process of the run: out of memory (limit {})",
                     memory_text_));
  }
}

void RunPresenter::ShowReceipt(const v1::Receipt& receipt) {
  bool show = false;
  {
    const std::lock_guard lock(mutex_);
    show = await_receipt_;
  }
  for (const v1::Removal& removal : receipt.removals()) {
    if (!removal.confirmed_absent()) {
      Warn(RemovalText(removal));
    } else if (show) {
      Remark(RemovalText(removal));
    }
  }
  if (!receipt.complete()) Warn("not everything is removed yet; the broker goes on trying");
}

void RunPresenter::Warn(std::string_view text) {
  WriteStderr(terminal_.Paint(client::Style::kBold, "tidewaiter:") + ' ' +
              client::TerminalSafe(text) + '\n');
}

void RunPresenter::WriteStderr(std::string_view text) {
  const std::lock_guard lock(mutex_);
  std::string out = ClearTransfer() + progress_.Clear();
  if (!text.empty() && line_open_ && terminal_.is_terminal()) {
    out += '\n';
    line_open_ = false;
  }
  out += text;
  // There is nowhere left to say that stderr cannot be written.
  if (!out.empty()) static_cast<void>(WriteAll(STDERR_FILENO, out));
}

}  // namespace tidewaiter::cli
