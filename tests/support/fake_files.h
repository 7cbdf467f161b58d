// The files of runs in memory: archives are texts, kept as they came. Thread-safe.
#pragma once

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "broker/run/run_files.h"
#include "tests/support/fake_trace.h"

namespace tidewaiter::testing {

class FakeFiles final : public run::RunFiles {
 public:
  explicit FakeFiles(FakeTrace& trace) : trace_(trace) {}

  // Every archive is refused at its end.
  void RefuseInputs() { refuse_ = true; }
  void FailOutputs() { fail_outputs_ = true; }
  // Of each output comes one piece.
  void BreakOutputs() { break_outputs_ = true; }
  // Every output takes until its patience ends.
  void HangOutputs() { hang_outputs_ = true; }
  // Outputs come in pieces of so many bytes; an empty one in none.
  void DivideOutputs(std::size_t piece_bytes) { piece_bytes_ = piece_bytes; }
  // What the container has left in that output.
  void Leave(const std::string& output, std::string archive, run::OutputSummary summary = {}) {
    const std::lock_guard lock(mutex_);
    outputs_[output] = {std::move(archive), std::move(summary)};
  }
  // What came for that input; empty where nothing whole did.
  [[nodiscard]] std::string Input(const std::string& name) const {
    const std::lock_guard lock(mutex_);
    const auto found = inputs_.find(name);
    return found == inputs_.end() ? std::string() : found->second;
  }
  [[nodiscard]] std::uint64_t max_bytes(const std::string& name) const {
    const std::lock_guard lock(mutex_);
    const auto found = max_bytes_.find(name);
    return found == max_bytes_.end() ? 0 : found->second;
  }

  Result<std::unique_ptr<run::ArchiveReceiver>> Receive(const Owner& owner, const std::string& name,
                                                        std::uint64_t max_bytes) override {
    trace_.Add("files:receive " + name + " of " + owner.principal + (owner.user ? "" : " for us"));
    const std::lock_guard lock(mutex_);
    max_bytes_[name] = max_bytes;
    return std::unique_ptr<run::ArchiveReceiver>(std::make_unique<Receiver>(*this, name));
  }
  Result<void> SendInput(const RunId& /*run_id*/, const std::string& name,
                         const run::ArchiveWriter& write,
                         const run::Patience& /*patience*/) override {
    trace_.Add("files:send input " + name);
    return write(Input(name));
  }
  Result<std::unique_ptr<run::ArchiveReceiver>> ReceiveOutput(const RunId& /*run_id*/,
                                                              const std::string& name,
                                                              std::uint64_t max_bytes) override {
    trace_.Add("files:receive output " + name);
    const std::lock_guard lock(mutex_);
    max_bytes_[name] = max_bytes;
    return std::unique_ptr<run::ArchiveReceiver>(std::make_unique<Receiver>(*this, name, true));
  }
  Result<void> PrepareOutput(const Owner& /*owner*/, const std::string& name) override {
    trace_.Add("files:prepare " + name);
    return Ok();
  }
  void FillDisk() { full_ = true; }
  [[nodiscard]] Result<void> CheckRoom(std::uint64_t /*wanted*/) override {
    if (!full_) return Ok();
    return Fail(ErrorCode::kResourceExhausted, "keep the disk free: full", "DISK_LOW");
  }
  Result<run::OutputSummary> Send(const RunId& /*run_id*/, const std::string& name,
                                  std::uint64_t max_bytes, const run::ArchiveWriter& write,
                                  const run::Patience& patience) override {
    trace_.Add("files:send " + name);
    if (hang_outputs_) {
      std::mutex mutex;
      std::condition_variable_any never;
      std::unique_lock lock(mutex);
      never.wait_until(lock, patience.stop, patience.deadline.when(), [] { return false; });
      return Fail(ErrorCode::kCancelled, "return output: stopped");
    }
    if (fail_outputs_) return Fail(ErrorCode::kInternal, "return output: broken", "OUTPUT_FAILED");
    std::pair<std::string, run::OutputSummary> output;
    {
      const std::lock_guard lock(mutex_);
      output = outputs_[name];
      max_bytes_[name] = max_bytes;
    }
    std::string_view rest = output.first;
    while (!rest.empty()) {
      TW_TRY(write(rest.substr(0, piece_bytes_)));
      rest.remove_prefix(std::min(piece_bytes_.load(), rest.size()));
      if (break_outputs_)
        return Fail(ErrorCode::kInternal, "return output: broken", "OUTPUT_FAILED");
    }
    output.second.archive.archive_bytes = output.first.size();
    return output.second;
  }
  Result<std::unique_ptr<run::RunLog>> OpenLog(
      const RunId& /*run_id*/, std::uint64_t /*max_bytes*/,
      std::function<void(std::uint64_t)> on_growth) override {
    trace_.Add("files:log");
    return std::unique_ptr<run::RunLog>(std::make_unique<MemoryLog>(*this, std::move(on_growth)));
  }
  // No log of a former broker can be opened.
  void LoseLogs() { lose_logs_ = true; }
  // As a former broker has left it.
  void LeaveLog(std::string content, run::LogPosition has) {
    const std::lock_guard lock(mutex_);
    log_ = std::move(content);
    left_log_ = has;
  }
  Result<ResumedLog> ResumeLog(const RunId& /*run_id*/, std::uint64_t max_bytes, bool digested,
                               std::function<void(std::uint64_t)> on_growth) override {
    trace_.Add("files:resume log of " + std::to_string(max_bytes) +
               (digested ? " with its digest" : ""));
    if (lose_logs_) return Fail(ErrorCode::kInternal, "open the log: input/output error");
    return ResumedLog{.log = std::make_unique<MemoryLog>(*this, std::move(on_growth)),
                      .has = left_log_,
                      .size = log_.size()};
  }
  [[nodiscard]] std::uint64_t LogSize(const RunId& /*run_id*/) override {
    const std::lock_guard lock(mutex_);
    return log_.size();
  }
  Result<std::string> ReadLog(const RunId& /*run_id*/, std::uint64_t offset,
                              std::size_t max_bytes) override {
    const std::lock_guard lock(mutex_);
    return log_.substr(offset, max_bytes);
  }
  // Whatever comes to a log is lost.
  void FailLogs() { fail_logs_ = true; }
  // Every log is full after its first piece, and stays so.
  void StallLogs() { stall_logs_ = true; }
  // Tells whoever writes the log that it may go on.
  void ResumeLogs() {
    stall_logs_ = false;
    const std::lock_guard lock(resume_mutex_);
    if (resume_) resume_();
  }
  // Every log had too many pieces for its limit.
  void LimitLogs() { limit_logs_ = true; }
  void RefuseKept() { refuse_kept_ = true; }
  Result<void> Reserve(const RunId& /*run_id*/, const std::string& /*principal*/,
                       std::uint64_t bytes) override {
    if (refuse_kept_) return Fail(ErrorCode::kResourceExhausted, "keep: full", "KEPT_QUOTA");
    trace_.Add("files:reserve " + std::to_string(bytes));
    return Ok();
  }
  void Kept(const RunId& /*run_id*/, const std::string& principal, std::uint64_t bytes) override {
    trace_.Add("files:kept " + std::to_string(bytes) + " of " + principal);
  }
  Result<std::unique_ptr<run::ArchiveKeeper>> KeepArchive(const RunId& /*run_id*/,
                                                          const std::string& name) override {
    return std::unique_ptr<run::ArchiveKeeper>(std::make_unique<MemoryArchive>(*this, name));
  }
  Result<void> SendArchive(const RunId& /*run_id*/, const std::string& name,
                           const run::ArchiveWriter& write,
                           const run::Patience& /*patience*/) override {
    return write(Archive(name));
  }
  [[nodiscard]] bool HasArchive(const std::string& name) const {
    const std::lock_guard lock(mutex_);
    return archives_.contains(name);
  }
  // What is kept of that output.
  [[nodiscard]] std::string Archive(const std::string& name) const {
    const std::lock_guard lock(mutex_);
    const auto found = archives_.find(name);
    return found == archives_.end() ? std::string() : found->second;
  }
  // What came to any log: "1:" or "2:" and the bytes, one piece after another.
  [[nodiscard]] std::string Log() const {
    const std::lock_guard lock(mutex_);
    return log_;
  }
  [[nodiscard]] run::MountSources Sources(const RunId& run_id) const override {
    return {.inputs = "/runs/" + run_id.value() + "/inputs",
            .outputs = "/runs/" + run_id.value() + "/outputs"};
  }
  void Forget(const RunId& /*run_id*/) override { trace_.Add("files:forget"); }

 private:
  class MemoryLog final : public run::RunLog {
   public:
    MemoryLog(FakeFiles& files, std::function<void(std::uint64_t)> on_growth)
        : files_(files), on_growth_(std::move(on_growth)) {}
    bool Write(run::OutputStream stream, std::span<const std::byte> data) override {
      std::size_t size = 0;
      {
        const std::lock_guard lock(files_.mutex_);
        files_.log_ += stream == run::OutputStream::kStdout ? "1:" : "2:";
        files_.log_.append(reinterpret_cast<const char*>(data.data()), data.size());
        size = files_.log_.size();
      }
      on_growth_(size);
      return !files_.stall_logs_;
    }
    void SetResume(std::function<void()> resume) override {
      const std::lock_guard lock(files_.resume_mutex_);
      files_.resume_ = std::move(resume);
    }
    Result<void> Flush(Deadline /*deadline*/) override {
      if (files_.limit_logs_) {
        return Fail(ErrorCode::kResourceExhausted, "write the log of a run: too many", "LOG_LIMIT");
      }
      if (!files_.fail_logs_) return Ok();
      return Fail(ErrorCode::kInternal, "write the log of a run: input/output error");
    }
    [[nodiscard]] std::int64_t dropped() override { return files_.fail_logs_ ? 3 : 0; }

   private:
    FakeFiles& files_;
    const std::function<void(std::uint64_t)> on_growth_;
  };
  class MemoryArchive final : public run::ArchiveKeeper {
   public:
    MemoryArchive(FakeFiles& files, std::string name) : files_(files), name_(std::move(name)) {}
    Result<void> Write(std::string_view piece) override {
      got_ += piece;
      return Ok();
    }
    Result<void> Finish() override {
      const std::lock_guard lock(files_.mutex_);
      files_.archives_[name_] = got_;
      return Ok();
    }

   private:
    FakeFiles& files_;
    const std::string name_;
    std::string got_;
  };
  class Receiver final : public run::ArchiveReceiver {
   public:
    Receiver(FakeFiles& files, std::string name, bool output = false)
        : files_(files), name_(std::move(name)), output_(output) {}
    Result<void> Write(const SharedBytes& piece, const run::Patience& /*patience*/) override {
      got_ += piece.Joined();
      return Ok();
    }
    Result<run::ArchiveSummary> Finish(const run::Patience& /*patience*/) override {
      if (files_.refuse_) {
        return Fail(ErrorCode::kFailedPrecondition, "unpack input: refused: dot-dot: '../x'",
                    "INPUT_REFUSED");
      }
      const std::lock_guard lock(files_.mutex_);
      if (output_) {
        files_.outputs_[name_] = {got_, {}};
      } else {
        files_.inputs_[name_] = got_;
      }
      return run::ArchiveSummary{.entries = 1,
                                 .bytes = got_.size(),
                                 .archive_bytes = got_.size(),
                                 .sha256 = "sha256:of " + got_};
    }

    [[nodiscard]] std::string code() const override { return files_.refuse_ ? "dot-dot" : ""; }

   private:
    FakeFiles& files_;
    const std::string name_;
    const bool output_;
    std::string got_;
  };

  FakeTrace& trace_;
  bool refuse_ = false;
  std::atomic<bool> full_{false};
  bool fail_outputs_ = false;
  std::atomic<bool> hang_outputs_{false};
  std::atomic<bool> break_outputs_{false};
  std::atomic<std::size_t> piece_bytes_{std::string_view::npos};
  std::atomic<bool> lose_logs_{false};
  std::atomic<bool> stall_logs_{false};
  std::atomic<bool> limit_logs_{false};
  std::mutex resume_mutex_;  // held while it runs
  std::function<void()> resume_;
  std::atomic<bool> fail_logs_{false};
  std::atomic<bool> refuse_kept_{false};
  mutable std::mutex mutex_;
  std::map<std::string, std::string> inputs_;
  std::string log_;
  run::LogPosition left_log_;
  std::map<std::string, std::string> archives_;
  std::map<std::string, std::uint64_t> max_bytes_;
  std::map<std::string, std::pair<std::string, run::OutputSummary>> outputs_;
};

}  // namespace tidewaiter::testing
