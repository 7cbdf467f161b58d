// The part of a run that the engine sees: take the inputs, resolve, create, attach, start, wait,
// collect the output, return the outputs.
// Ends with an outcome, never with an error, and removes nothing: that is Teardown's.
// On the run's thread.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "broker/run/active_run.h"
#include "broker/run/disk_watch.h"
#include "broker/run/ending.h"
#include "broker/run/environment.h"
#include "broker/run/log_intake.h"
#include "broker/run/output_limiter.h"
#include "broker/run/run_events.h"
#include "broker/run/run_observer.h"
#include "broker/run/run_request.h"
#include "policy/admitted_run.h"

namespace tidewaiter::run {

class Execution {
 public:
  Execution(const Environment& environment, Backend& backend, const RunFacts& facts,
            const policy::AdmittedRun& admitted, const RunRequest& request, ActiveRun& run);

  // `resources` receives what may exist on the engine from then on, in order of creation; it stays
  // empty where nothing was created. `entry` is the run's in the journal, with Backend::Plan's
  // answer; it gets the image as soon as that is resolved.
  Ending Run(JournalEntry& entry, std::vector<Resource>& resources);
  // Whether the container runs on, for the next broker to adopt: nothing of it is over.
  [[nodiscard]] bool left() const { return left_; }

 private:
  Result<void> ReserveRoom();
  Outcome RunNow(JournalEntry& entry, std::vector<Resource>& resources);
  Result<void> NoteLaunch(JournalEntry& entry, const std::vector<Resource>& resources) const;
  InputReader ReaderOfInputs();
  void ReturnOutputs(const Outcome& outcome, Container* carried_by);
  using AttachmentPtr = std::unique_ptr<Attachment>;
  Outcome StartAndWait(Container& container, AttachmentPtr& attachment, OutputLimiter& output,
                       JournalEntry& entry, const Patience& patience);
  std::optional<ContainerExit> AwaitExit(Container& container, AttachmentPtr& attachment,
                                         OutputLimiter& output, Deadline limit);
  void ReadLogInstead(Container& container, AttachmentPtr& attachment, const OutputLimiter& output);
  void ReadRestOfLog(Container& container, AttachmentPtr& attachment, const OutputLimiter& output);
  void RecordStart();
  [[nodiscard]] bool ShutsDownDetached();
  Patience OutputPatience(const std::optional<ContainerExit>& exit);
  void AwaitOutput(Attachment& attachment, OutputLimiter& output,
                   const std::optional<ContainerExit>& exit);
  void TellTruncation(const OutputLimiter& output);
  void TellTruncated(std::int64_t dropped_bytes, std::string_view reason);
  Outcome Failed(const Error& error);

  const Environment& environment_;
  const RunSettings& settings_;
  Backend& backend_;
  const RunFacts& facts_;
  const policy::AdmittedRun& admitted_;
  const RunRequest& request_;
  ActiveRun& run_;
  RunObserver& observer_;
  const bool has_outputs_;
  DiskWatch disk_;
  bool left_ = false;
  std::string_view truncated_;
  std::vector<KeptOutput> outputs_;
  bool ended_ = false;  // the container is known to run no more
  ResolvedImage image_;
  std::string container_id_;
  std::int64_t dropped_output_bytes_ = 0;
  std::shared_ptr<EntryNotes> notes_;
  std::optional<LogIntake> log_;  // where the rest of the output comes from, once its stream broke
  std::string_view output_lost_;  // why some of it may be missing, besides what was counted
};

// The outcome of a run that was stopped.
Outcome StoppedBy(const StopCause& cause);

}  // namespace tidewaiter::run
