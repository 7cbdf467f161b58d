// One call of Broker.Run between the two that use it: gRPC's reactor below (StreamPort) and the run
// above (RunObserver). It outlives whichever ends first.
//
// Thread: any. Never blocks. The port's functions are called with the lock held, so that none is
// called after Finish; gRPC 1.51 never runs a reaction inside of them (its callbacks go through the
// executor or the poller's own queue), which is what makes that safe.
#pragma once

#include <grpcpp/support/status.h>

#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>

#include "base/result.h"
#include "broker/rpc/event_queue.h"
#include "broker/rpc/message_bound.h"
#include "broker/rpc/stdin_pipe.h"
#include "broker/rpc/upload_pipe.h"
#include "broker/run/run_observer.h"
#include "broker/run/run_registry.h"
#include "broker/run/run_request.h"
#include "tidewaiter/v1/broker.pb.h"

namespace tidewaiter::rpc {

// What a stream does to its call. Nothing follows Finish.
class StreamPort {
 public:
  virtual ~StreamPort() = default;
  virtual void Read() = 0;  // answered by OnRead
  // Answered by OnWritten, until when `event` must stay as it is.
  virtual void Write(const v1::RunEvent& event) = 0;
  virtual void Finish(const grpc::Status& status) = 0;
  virtual void Cancel() = 0;
  // Answered by OnLingered after that time, or never where the call ends before.
  virtual void Linger(std::chrono::milliseconds time) = 0;
};

class RunStream final : public run::RunObserver, public std::enable_shared_from_this<RunStream> {
 public:
  struct Launched {
    std::shared_ptr<run::RunHandle> handle;
    // In its place: the detached run that the caller has begun before.
    std::optional<RunId> existing;
  };
  using Launcher = std::function<Result<Launched>(run::RunRequest)>;

  struct Settings {
    // How long a client may take nothing after its run has ended.
    std::chrono::milliseconds linger{std::chrono::seconds(30)};
    MessageBound bound;
  };

  // To be owned by a shared_ptr: the run and the call each hold one.
  RunStream(Launcher launcher, run::Caller caller, Settings settings);

  // The reactor's side. Open begins the first read; `port` is used until Finish.
  void Open(StreamPort& port);
  // `bytes`: what the message had on the wire.
  void OnRead(const v1::RunRequest& request, std::size_t bytes);
  // In place of OnRead, for a message that is an input's piece.
  void OnInput(run::UploadPiece piece, std::size_t bytes);
  void OnUnreadable();
  // A half-close: the client has nothing more to say. OnCancelled tells where it is gone.
  void OnReadEnd();
  void OnWritten(bool ok);
  void OnCancelled();
  void OnLingered();

  // run::RunObserver.
  bool Write(run::OutputStream stream, std::span<const std::byte> data) override;
  void SetResume(std::function<void()> resume) override;
  void OnProgress(std::string_view layer, std::string_view status, std::int64_t current_bytes,
                  std::int64_t total_bytes) override;
  void OnDenied(const std::vector<policy::Violation>& violations, std::string_view policy_name,
                std::string_view policy_hash) override;
  void OnAdmitted(const RunId& run_id, const policy::AdmittedRun& admitted) override;
  void OnQueued(std::uint32_t ahead) override;
  void OnStarted(const run::ResolvedImage& image, const std::string& container_id) override;
  void OnTruncated(std::int64_t dropped_bytes, std::string_view reason) override;
  Result<bool> OnOutputPiece(const std::string& name, std::string_view data) override;
  Result<void> OnOutputEnd(const std::string& name, const run::OutputSummary& summary,
                           std::string_view error) override;
  void OnOutcome(const run::Outcome& outcome) override;
  void OnReceipt(const run::Receipt& receipt) override;
  void OnRefused(const Error& error) override;
  void OnAttached(run::Attachment& attachment) override;
  Loss OnAttachmentClosing() override;
  void OnDone() override;

 private:
  // What each message goes through.
  void Take(std::size_t bytes, const std::function<bool()>& take);
  // Each returns whether the next message may be read at once.
  bool OnStart(const v1::StartRun& start);
  bool OnMessage(const v1::RunRequest& request);
  bool OnPiece(run::UploadPiece piece);
  bool OnStdin(const std::string& data);
  bool OnCancelMessage();
  // Whether something of stdin may come at this point; ends the call where not.
  bool MayComeNow(std::string_view what);
  // For a pipe that has room again.
  std::function<void()> ReadOn();
  bool Violate(std::string_view what);
  void OnExisting(const RunId& run_id);

  void Send(v1::RunEvent event);
  void ReadLocked();
  void PumpLocked();
  // Ends the call with `status`, and the run with it; what waits is dropped.
  void Close(const grpc::Status& status);
  void Resume();

  const Launcher launcher_;
  const run::Caller caller_;
  const Settings settings_;
  std::shared_ptr<StdinPipe> stdin_;
  std::shared_ptr<UploadPipe> uploads_;  // where the run has inputs

  // Of the reader: reads come one at a time.
  bool started_ = false;
  bool with_stdin_ = false;
  bool detached_ = false;
  std::set<std::string> inputs_left_;  // whose archives have not ended
  std::string input_;                  // whose archive has begun and not ended

  std::mutex mutex_;
  // All guarded by mutex_.
  StreamPort* port_ = nullptr;  // null once Finish has been called
  EventQueue queue_;
  v1::RunEvent sending_;
  bool writing_ = false;
  bool read_paused_ = false;      // the next message is read when on_room says so
  bool producer_paused_ = false;  // Write returned false
  bool closed_ = false;           // nobody is left to be told
  std::uint64_t written_ = 0;     // events
  std::uint64_t written_before_linger_ = 0;
  std::shared_ptr<run::RunHandle> handle_;  // while the run goes on
  std::optional<grpc::Status> answer_;      // what the run says how the call should end
  std::optional<grpc::Status> final_;       // how it ends, as soon as the queue is empty

  std::mutex resume_mutex_;  // held while the function runs: SetResume waits for it
  std::function<void()> resume_;
};

}  // namespace tidewaiter::rpc
