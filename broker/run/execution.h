// The part of a run that the engine sees: take the inputs, resolve, create, attach, start, wait,
// collect the output, return the outputs.
// Ends with an outcome, never with an error, and removes nothing: that is Teardown's.
// On the run's thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "broker/run/active_run.h"
#include "broker/run/environment.h"
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
  Outcome Run(JournalEntry& entry, std::vector<Resource>& resources);

  [[nodiscard]] const ResolvedImage& image() const { return image_; }
  [[nodiscard]] const std::string& container_id() const { return container_id_; }
  [[nodiscard]] std::int64_t dropped_output_bytes() const { return dropped_output_bytes_; }

 private:
  bool DiskIsLow();
  void ReturnOutputs(const Outcome& outcome);
  Outcome StartAndWait(Container& container, Attachment& attachment, OutputLimiter& output,
                       const Patience& patience);
  std::optional<ContainerExit> AwaitExit(Container& container, OutputLimiter& output);
  struct Stopped {
    std::optional<ContainerExit> exit;
    bool by_itself = false;  // before the signal reached it
  };
  Stopped Stop(Container& container);
  void RecordStart();
  Patience OutputPatience(const std::optional<ContainerExit>& exit);
  void AwaitOutput(Attachment& attachment, OutputLimiter& output,
                   const std::optional<ContainerExit>& exit);
  void TellTruncation(const OutputLimiter& output);
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
  std::optional<Error> disk_low_;  // why the run was stopped
  bool ended_ = false;             // the container is known to run no more
  ResolvedImage image_;
  std::string container_id_;
  std::int64_t dropped_output_bytes_ = 0;
  std::string_view output_lost_;  // why some of it may be missing, besides what was counted
};

// The outcome of a run that was stopped.
Outcome StoppedBy(const StopCause& cause);

}  // namespace tidewaiter::run
