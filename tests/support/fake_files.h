// The files of runs in memory: archives are texts, kept as they came. Thread-safe.
#pragma once

#include <atomic>
#include <map>
#include <mutex>
#include <optional>
#include <string>
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

  Result<std::unique_ptr<run::InputReceiver>> Receive(const Owner& owner, const std::string& name,
                                                      std::uint64_t max_bytes) override {
    trace_.Add("files:receive " + name + " of " + owner.principal);
    const std::lock_guard lock(mutex_);
    max_bytes_[name] = max_bytes;
    return std::unique_ptr<run::InputReceiver>(std::make_unique<Receiver>(*this, name));
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
                                  std::uint64_t max_bytes, const Write& write,
                                  const run::Patience& /*patience*/) override {
    trace_.Add("files:send " + name);
    if (fail_outputs_) return Fail(ErrorCode::kInternal, "return output: broken", "OUTPUT_FAILED");
    std::pair<std::string, run::OutputSummary> output;
    {
      const std::lock_guard lock(mutex_);
      output = outputs_[name];
      max_bytes_[name] = max_bytes;
    }
    TW_TRY(write(output.first));
    output.second.archive.archive_bytes = output.first.size();
    return output.second;
  }
  [[nodiscard]] run::MountSources Sources(const RunId& run_id) const override {
    return {.inputs = "/runs/" + run_id.value() + "/inputs",
            .outputs = "/runs/" + run_id.value() + "/outputs"};
  }
  void Forget(const RunId& /*run_id*/) override { trace_.Add("files:forget"); }

 private:
  class Receiver final : public run::InputReceiver {
   public:
    Receiver(FakeFiles& files, std::string name) : files_(files), name_(std::move(name)) {}
    Result<void> Write(std::string_view piece, const run::Patience& /*patience*/) override {
      got_ += piece;
      return Ok();
    }
    Result<run::ArchiveSummary> Finish(const run::Patience& /*patience*/) override {
      if (files_.refuse_) {
        return Fail(ErrorCode::kFailedPrecondition, "unpack input: refused: dot-dot: '../x'",
                    "INPUT_REFUSED");
      }
      const std::lock_guard lock(files_.mutex_);
      files_.inputs_[name_] = got_;
      return run::ArchiveSummary{.entries = 1,
                                 .bytes = got_.size(),
                                 .archive_bytes = got_.size(),
                                 .sha256 = "sha256:of " + got_};
    }

    [[nodiscard]] std::string code() const override { return files_.refuse_ ? "dot-dot" : ""; }

   private:
    FakeFiles& files_;
    const std::string name_;
    std::string got_;
  };

  FakeTrace& trace_;
  bool refuse_ = false;
  std::atomic<bool> full_{false};
  bool fail_outputs_ = false;
  mutable std::mutex mutex_;
  std::map<std::string, std::string> inputs_;
  std::map<std::string, std::uint64_t> max_bytes_;
  std::map<std::string, std::pair<std::string, run::OutputSummary>> outputs_;
};

}  // namespace tidewaiter::testing
