#include "broker/run/detached_run.h"

#include <utility>

namespace tidewaiter::run {
namespace {

// Of v1.Truncated.
constexpr std::string_view kLogFailed = "LOG_FAILED";
constexpr std::string_view kLogLimit = "LOG_LIMIT";

}  // namespace

DetachedRun::DetachedRun(Caller owner, std::string idempotency_key, RunFiles& files,
                         std::shared_ptr<RunObserver> starter)
    : owner_(std::move(owner)), key_(std::move(idempotency_key)), files_(files) {
  shared_.Lock()->starter = std::move(starter);
}

DetachedRun::DetachedRun(const KeptRun& kept, RunFiles& files) : DetachedRun(kept.entry, files) {
  Settled(kept);
}

DetachedRun::DetachedRun(const JournalEntry& entry, RunFiles& files)
    : owner_(entry.caller),
      key_(entry.detachment ? entry.detachment->idempotency_key : std::string()),
      files_(files) {
  State& state = shared_.Lock()->state;
  state.run_id = entry.run_id;
  state.policy_name = entry.policy_name;
  state.policy_hash = entry.policy_hash;
  state.log_bytes = files_.LogSize(entry.run_id);
}

DetachedRun::State DetachedRun::Get() {
  return shared_.Lock()->state;
}

bool DetachedRun::CameToNothing() {
  auto shared = shared_.Lock();
  return shared->state.done && !shared->state.outcome;
}

bool DetachedRun::Done() {
  return shared_.Lock()->state.done;
}

void DetachedRun::Watch(std::weak_ptr<Watcher> watcher, Watcher::Of what) {
  auto shared = shared_.Lock();
  auto& watchers = what == Watcher::Of::kEnd ? shared->end_watchers : shared->watchers;
  std::erase_if(watchers, [](const auto& each) { return each.expired(); });
  watchers.push_back(std::move(watcher));
}

template <typename Change>
void DetachedRun::Update(Change change) {
  std::vector<std::weak_ptr<Watcher>> watchers;
  {
    auto shared = shared_.Lock();
    change(shared->state);
    watchers = shared->watchers;
    if (shared->state.done) {
      watchers.insert(watchers.end(), shared->end_watchers.begin(), shared->end_watchers.end());
    }
  }
  for (const auto& each : watchers) {
    if (const auto watcher = each.lock()) watcher->OnChange();
  }
}

void DetachedRun::Grown(std::uint64_t log_bytes) {
  Update([log_bytes](State& state) { state.log_bytes = log_bytes; });
}

void DetachedRun::LetGoOfStarter() {
  const auto starter = std::exchange(shared_.Lock()->starter, nullptr);
  if (starter) starter->OnDone();
}

void DetachedRun::Settled(const KeptRun& kept) {
  Update([&](State& state) {
    // A kept run says what it was like even where this process did not see it.
    if (!state.image && !kept.container_id.empty()) {
      state.image = kept.entry.resolved;
      state.container_id = kept.container_id;
    }
    state.dropped_bytes = kept.dropped_bytes;
    state.truncated = kept.truncated;
    state.outcome = kept.outcome;
    state.receipt = kept.receipt;
    state.log_bytes = kept.log_bytes;
    state.kept = kept.outputs;
    state.done = true;
  });
}

LogPosition DetachedRun::Resume(std::uint64_t log_bytes, bool digested) {
  auto resumed = files_.ResumeLog(Get().run_id, log_bytes, digested,
                                  [this](std::uint64_t size) { Grown(size); });
  if (!resumed) return {};
  log_ = std::move(resumed->log);
  Grown(resumed->size);
  return resumed->has;
}

bool DetachedRun::Write(OutputStream stream, std::span<const std::byte> data) {
  return log_ == nullptr || log_->Write(stream, data);
}

void DetachedRun::SetResume(std::function<void()> resume) {
  if (log_ != nullptr) log_->SetResume(std::move(resume));
}

void DetachedRun::OnProgress(std::string_view layer, std::string_view status,
                             std::int64_t current_bytes, std::int64_t total_bytes) {
  if (const auto starter = Starter()) {
    starter->OnProgress(layer, status, current_bytes, total_bytes);
  }
}

void DetachedRun::OnDenied(const std::vector<policy::Violation>& violations,
                           std::string_view policy_name, std::string_view policy_hash) {
  if (const auto starter = Starter()) starter->OnDenied(violations, policy_name, policy_hash);
}

void DetachedRun::OnAdmitted(const RunId& run_id, const policy::AdmittedRun& admitted) {
  const auto max_bytes = static_cast<std::uint64_t>(admitted.effective().limits.log_bytes);
  auto log = files_.OpenLog(run_id, max_bytes, [this](std::uint64_t size) { Grown(size); });
  if (log) log_ = *std::move(log);
  Update([&](State& state) {
    state.run_id = run_id;
    state.policy_name = admitted.policy_name();
    state.policy_hash = admitted.policy_hash();
  });
  if (const auto starter = Starter()) starter->OnAdmitted(run_id, admitted);
}

void DetachedRun::OnQueued(std::uint32_t ahead) {
  Update([ahead](State& state) { state.queued = ahead; });
  if (const auto starter = Starter()) starter->OnQueued(ahead);
}

void DetachedRun::OnStarted(const ResolvedImage& image, const std::string& container_id) {
  Update([&](State& state) {
    state.image = image;
    state.container_id = container_id;
  });
  if (const auto starter = Starter()) starter->OnStarted(image, container_id);
  LetGoOfStarter();
}

void DetachedRun::OnTruncated(std::int64_t dropped_bytes, std::string_view reason) {
  Update([&](State& state) {
    state.dropped_bytes += dropped_bytes;
    if (state.truncated.empty()) state.truncated = reason;
  });
}

Result<bool> DetachedRun::OnOutputPiece(const std::string& name, std::string_view data) {
  if (archive_ == nullptr) {
    TW_ASSIGN(archive_, files_.KeepArchive(Get().run_id, name));
  }
  TW_TRY(archive_->Write(data));
  return true;
}

Result<void> DetachedRun::OnOutputEnd(const std::string& name, const OutputSummary& /*summary*/,
                                      std::string_view error) {
  std::unique_ptr<ArchiveKeeper> archive = std::move(archive_);
  if (!error.empty()) return Ok();
  if (archive == nullptr) {
    TW_ASSIGN(archive, files_.KeepArchive(Get().run_id, name));
  }
  return archive->Finish();
}

void DetachedRun::OnOutcome(const Outcome& outcome) {
  Update([&](State& state) { state.outcome = outcome; });
  if (const auto starter = Starter()) starter->OnOutcome(outcome);
}

void DetachedRun::OnReceipt(const Receipt& receipt) {
  Update([&](State& state) { state.receipt = receipt; });
  if (const auto starter = Starter()) starter->OnReceipt(receipt);
}

void DetachedRun::OnRefused(const Error& error) {
  Update([&](State& state) { state.refused = error; });
  if (const auto starter = Starter()) starter->OnRefused(error);
}

// Nobody sends any stdin.
void DetachedRun::OnAttached(Attachment& /*attachment*/) {}

DetachedRun::Loss DetachedRun::OnAttachmentClosing() {
  if (log_ == nullptr) return {.bytes = 0, .reason = kLogFailed};
  const auto flushed = log_->Flush(Deadline::After(kFlush));
  if (flushed) return {};
  return {.bytes = log_->dropped(),
          .reason = flushed.error().Reason() == kLogLimit ? kLogLimit : kLogFailed};
}

void DetachedRun::OnDone() {
  log_.reset();
  Update([](State& state) { state.done = true; });
  LetGoOfStarter();
}

}  // namespace tidewaiter::run
