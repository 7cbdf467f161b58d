// A destination that does what a test says. The script is shared by the destinations of several
// processes' lives; thread-safe.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "broker/forward/destination.h"

namespace tidewaiter::forward {

class DestinationScript {
 public:
  // Every call fails with this from now on; "": none does.
  void Fail(const std::string& error) {
    const std::lock_guard lock(mutex_);
    error_ = error;
  }
  void FailConfirm(const std::string& error) {
    const std::lock_guard lock(mutex_);
    confirm_error_ = error;
  }
  // What the present connection takes from now on is lost, which its next confirmation finds.
  void Break() {
    const std::lock_guard lock(mutex_);
    broken_ = true;
  }
  [[nodiscard]] int failures() const {
    const std::lock_guard lock(mutex_);
    return failures_;
  }
  // The indices of what was confirmed, in order.
  [[nodiscard]] std::vector<std::uint64_t> arrived() const {
    const std::lock_guard lock(mutex_);
    return arrived_;
  }

 private:
  friend class ScriptedDestination;

  mutable std::mutex mutex_;
  std::string error_;
  std::string confirm_error_;
  bool broken_ = false;
  int failures_ = 0;
  std::vector<std::uint64_t> sent_;
  std::vector<std::uint64_t> arrived_;
};

class ScriptedDestination final : public Destination {
 public:
  explicit ScriptedDestination(std::shared_ptr<DestinationScript> script)
      : script_(std::move(script)) {}

  [[nodiscard]] std::string Name() const override { return "the test"; }
  Result<void> Connect(const std::stop_token& /*stop*/, Deadline /*deadline*/) override {
    const std::lock_guard lock(script_->mutex_);
    script_->sent_.clear();
    script_->broken_ = false;
    return Answer(script_->error_);
  }
  Result<void> Send(const ForwardedRecord& record, Deadline /*deadline*/) override {
    const std::lock_guard lock(script_->mutex_);
    script_->sent_.push_back(record.header.index);
    return Answer(script_->error_);
  }
  Result<void> Confirm(Deadline /*deadline*/) override {
    const std::lock_guard lock(script_->mutex_);
    if (script_->broken_) return Answer("broken");
    if (!script_->confirm_error_.empty()) return Answer(script_->confirm_error_);
    script_->arrived_.insert(script_->arrived_.end(), script_->sent_.begin(), script_->sent_.end());
    script_->sent_.clear();
    return Answer(script_->error_);
  }

 private:
  Result<void> Answer(const std::string& error) {
    if (error.empty()) return Ok();
    ++script_->failures_;
    return Fail(ErrorCode::kUnavailable, error);
  }

  const std::shared_ptr<DestinationScript> script_;
};

}  // namespace tidewaiter::forward
