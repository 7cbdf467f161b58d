// One detached run as the calls that ask about it see it: it takes what the run tells, keeps it,
// and wakes who watches. Its output goes to the run's log. Until the container has started, all of
// it goes to the call that began the run, too. Thread-safe.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/guarded.h"
#include "broker/run/kept_run.h"
#include "broker/run/run_files.h"
#include "broker/run/run_observer.h"

namespace tidewaiter::run {

class DetachedRun final : public RunObserver {
 public:
  // For the output that has come to reach the disk, once the container has ended or is left.
  static constexpr std::chrono::seconds kFlush{30};

  class Watcher {
   public:
    // What it is woken by: any change, or the end alone.
    enum class Of { kAll, kEnd };
    virtual ~Watcher() = default;
    // Something of the state has changed. Any thread; must not block, nor call Watch.
    virtual void OnChange() noexcept = 0;
  };

  struct State {
    RunId run_id;  // empty until the run is admitted
    std::string policy_name;
    std::string policy_hash;
    std::optional<std::uint32_t> queued;
    std::optional<ResolvedImage> image;  // once the container has started
    std::string container_id;
    std::uint64_t log_bytes = 0;  // that can be read
    std::int64_t dropped_bytes = 0;
    std::string truncated;
    std::optional<Outcome> outcome;
    std::optional<Receipt> receipt;
    // Why there is no outcome and never will be.
    std::optional<Error> refused;
    bool done = false;  // nothing of the above changes any more
    // Once nothing of it is left but what is kept: its outputs.
    std::optional<std::vector<KeptOutput>> kept;
  };

  // `starter`: the call that begins it, told what RunObserver says up to OnStarted, then OnDone.
  DetachedRun(Caller owner, std::string idempotency_key, RunFiles& files,
              std::shared_ptr<RunObserver> starter);
  // One that a former process kept.
  DetachedRun(const KeptRun& kept, RunFiles& files);
  // One that a former process left unfinished: Settled tells the rest.
  DetachedRun(const JournalEntry& entry, RunFiles& files);

  [[nodiscard]] const Caller& owner() const noexcept { return owner_; }
  [[nodiscard]] const std::string& idempotency_key() const noexcept { return key_; }
  [[nodiscard]] State Get();
  // Whether it has ended without an outcome, and never will have one.
  [[nodiscard]] bool CameToNothing();
  // Nothing of its state changes any more.
  [[nodiscard]] bool Done();
  // Until it is gone.
  void Watch(std::weak_ptr<Watcher> watcher, Watcher::Of what);

  // Of one that runs on: opens its log to go on with it. What of the output is there already; none
  // where the log cannot be opened: what comes is lost then (LOG_FAILED). `digested`: see
  // RunFiles::ResumeLog.
  LogPosition Resume(std::uint64_t log_bytes, bool digested);
  // It is kept.
  void Settled(const KeptRun& kept);
  // Its retention is over: what is read of its files from now on may be missing.
  void Expire() noexcept { expired_ = true; }
  [[nodiscard]] bool Expired() const noexcept { return expired_; }

  // run::RunObserver.
  bool Write(OutputStream stream, std::span<const std::byte> data) override;
  void SetResume(std::function<void()> resume) override;
  void OnProgress(std::string_view layer, std::string_view status, std::int64_t current_bytes,
                  std::int64_t total_bytes) override;
  void OnDenied(const std::vector<policy::Violation>& violations, std::string_view policy_name,
                std::string_view policy_hash) override;
  void OnAdmitted(const RunId& run_id, const policy::AdmittedRun& admitted) override;
  void OnQueued(std::uint32_t ahead) override;
  void OnStarted(const ResolvedImage& image, const std::string& container_id) override;
  void OnTruncated(std::int64_t dropped_bytes, std::string_view reason) override;
  Result<bool> OnOutputPiece(const std::string& name, std::string_view data) override;
  Result<void> OnOutputEnd(const std::string& name, const OutputSummary& summary,
                           std::string_view error) override;
  void OnOutcome(const Outcome& outcome) override;
  void OnReceipt(const Receipt& receipt) override;
  void OnRefused(const Error& error) override;
  void OnAttached(Attachment& attachment) override;
  Loss OnAttachmentClosing() override;
  void OnDone() override;

 private:
  struct Shared {
    State state;
    std::shared_ptr<RunObserver> starter;
    std::vector<std::weak_ptr<Watcher>> watchers;
    std::vector<std::weak_ptr<Watcher>> end_watchers;
  };
  // Changes the state, and wakes who watches.
  template <typename Change>
  void Update(Change change);
  void Grown(std::uint64_t log_bytes);
  [[nodiscard]] std::shared_ptr<RunObserver> Starter() { return shared_.Lock()->starter; }
  void LetGoOfStarter();

  const Caller owner_;
  const std::string key_;
  RunFiles& files_;
  Guarded<Shared> shared_;
  std::atomic<bool> expired_{false};
  std::unique_ptr<RunLog> log_;  // the run's thread, and the I/O thread while it is attached
  std::unique_ptr<ArchiveKeeper> archive_;  // the run's thread: of the output that comes now
};

}  // namespace tidewaiter::run
