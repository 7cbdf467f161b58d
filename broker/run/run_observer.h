// Port: what the client of a run is told, in the order of Broker.Run's events. Called on the run's
// thread (output and progress: on the I/O thread); must not block. A client that is gone makes
// every call a no-op.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "broker/run/backend.h"
#include "broker/run/outcome.h"
#include "broker/run/output_sink.h"
#include "broker/run/run_files.h"

namespace tidewaiter::run {

class RunObserver : public OutputSink, public ImageProgressSink {
 public:
  virtual void OnDenied(const std::vector<policy::Violation>& violations,
                        std::string_view policy_name, std::string_view policy_hash) = 0;
  // The record of the admission is durable.
  virtual void OnAdmitted(const RunId& run_id, const policy::AdmittedRun& admitted) = 0;
  virtual void OnQueued(std::uint32_t ahead) = 0;
  virtual void OnStarted(const ResolvedImage& image, const std::string& container_id) = 0;
  virtual void OnTruncated(std::int64_t dropped_bytes, std::string_view reason) = 0;
  // Bytes of the archive of an output. False: no more until the function of SetResume is called.
  // Errors: it cannot be taken, and no more of it is to come.
  virtual Result<bool> OnOutputPiece(const std::string& name, std::string_view data) = 0;
  // Nothing more of that output comes. `error`: why its archive broke off; empty where it is whole.
  // Errors: it did not get to where it was to go.
  virtual Result<void> OnOutputEnd(const std::string& name, const OutputSummary& summary,
                                   std::string_view error) = 0;
  virtual void OnOutcome(const Outcome& outcome) = 0;
  virtual void OnReceipt(const Receipt& receipt) = 0;
  // Nothing was created: AUDIT_UNAVAILABLE, NO_CAPACITY, SHUTTING_DOWN, JOURNAL_UNAVAILABLE, ...
  virtual void OnRefused(const Error& error) = 0;
  // Stdin of the attached container, until OnAttachmentClosing returns: after that it must not be
  // used.
  virtual void OnAttached(Attachment& attachment) = 0;
  // What of the output was taken and will not be seen by anybody: v1.Truncated.
  struct Loss {
    std::int64_t bytes = 0;
    std::string_view reason;  // empty: nothing is lost
  };
  virtual Loss OnAttachmentClosing() = 0;
  // Nothing follows; the run's thread no longer uses this object when it returns.
  virtual void OnDone() = 0;
};

}  // namespace tidewaiter::run
