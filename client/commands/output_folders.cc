#include "client/commands/output_folders.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/printable.h"

namespace tidewaiter::cli {

OutputFolders::OutputFolders(const std::vector<ArchiveFlag>& outputs, std::string worker,
                             std::stop_token stop)
    : worker_(std::move(worker)), stop_(std::move(stop)) {
  for (const ArchiveFlag& flag : outputs) folders_.emplace_back().flag = flag;
}

Result<void> OutputFolders::Check(const std::vector<ArchiveFlag>& outputs) {
  std::vector<extract::Staging> together;  // two outputs in one folder fail here
  for (const ArchiveFlag& flag : outputs) {
    auto staging = extract::Staging::Open(flag.path);
    if (!staging) return staging.error().Within("--output " + flag.name);
    together.push_back(*std::move(staging));
  }
  return Ok();
}

Result<void> OutputFolders::Take(const v1::OutputPiece& piece) {
  const auto found = std::find_if(folders_.begin(), folders_.end(), [&](const Folder& folder) {
    return folder.flag.name == piece.name();
  });
  if (found == folders_.end()) return Ok();
  Folder& folder = *found;
  if (folder.state == State::kFailed) return Ok();
  auto taken = TakeInto(folder, piece);
  if (taken) return taken;
  folder.state = State::kFailed;
  folder.worker.reset();
  folder.staging.reset();
  return taken.error().Within(
      fmt::format("take output {} to {}", Quoted(folder.flag.name), Quoted(folder.flag.path)));
}

Result<void> OutputFolders::TakeInto(Folder& folder, const v1::OutputPiece& piece) {
  if (folder.state == State::kThere) {
    return Fail(ErrorCode::kInternal, "the broker sends more after its end");
  }
  if (folder.state == State::kAwaited) {
    TW_TRY(Begin(folder));
    folder.state = State::kComing;
  }
  if (!piece.data().empty() && !folder.worker->Feed(SharedBytes(piece.data()), stop_)) {
    TW_TRY(End(folder));
    return Fail(ErrorCode::kInternal, "the archive goes on after its end");
  }
  if (!piece.has_end()) return Ok();
  if (!piece.end().error().empty()) {
    return Fail(ErrorCode::kUnavailable, "the broker broke it off: " + piece.end().error());
  }
  TW_TRY(End(folder));
  TW_TRY(folder.staging->Commit());
  folder.staging.reset();
  folder.state = State::kThere;
  return Ok();
}

Result<void> OutputFolders::Begin(Folder& folder) {
  TW_ASSIGN(auto staging, extract::Staging::Open(folder.flag.path));
  folder.staging.emplace(std::move(staging));
  auto worker = extract::WorkerProcess::StartFed(worker_, folder.staging->fd(), limits_);
  if (!worker) return Fail(ErrorCode::kUnavailable, worker.error().message);
  folder.worker.emplace(*std::move(worker));
  return Ok();
}

Result<void> OutputFolders::End(Folder& folder) {
  const auto summary = folder.worker->Wait(stop_);
  folder.worker.reset();
  if (summary) return Ok();
  const extract::Refusal& refusal = summary.error();
  return Fail(ErrorCode::kFailedPrecondition,
              fmt::format("refused: {}: {}{}", extract::ToString(refusal.code), refusal.message,
                          refusal.entry.empty() ? "" : ": '" + refusal.entry + "'"));
}

std::vector<std::string> OutputFolders::Missing() const {
  std::vector<std::string> names;
  for (const Folder& folder : folders_) {
    const bool untold = folder.state == State::kAwaited || folder.state == State::kComing;
    if (untold) names.push_back(folder.flag.name);
  }
  return names;
}

bool OutputFolders::complete() const {
  return std::all_of(folders_.begin(), folders_.end(),
                     [](const Folder& folder) { return folder.state == State::kThere; });
}

}  // namespace tidewaiter::cli
