// A client of a run that remembers what it was told, and reads or does not. Thread-safe.
#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "broker/run/run_observer.h"
#include "tests/support/fake_trace.h"

namespace tidewaiter::testing {

class FakeObserver final : public run::RunObserver {
 public:
  // From now on Write says "full", until MakeRoom().
  void StopReading() {
    const std::lock_guard lock(mutex_);
    full_ = true;
  }
  void MakeRoom() {
    {
      const std::lock_guard lock(mutex_);
      full_ = false;
    }
    const std::lock_guard lock(resume_mutex_);
    if (resume_) resume_();
  }

  // What its writer's thread does once it has been told "done".
  void WhenDone(std::function<void()> then) {
    const std::lock_guard lock(mutex_);
    when_done_ = std::move(then);
  }

  // "denied", "admitted", "queued", "started", "truncated REASON BYTES", "outcome KIND", "receipt",
  // "refused REASON", "attached", "closing", "done", in order.
  [[nodiscard]] const FakeTrace& told() const { return told_; }
  [[nodiscard]] bool WaitDone() const { return told_.WaitFor("done"); }
  [[nodiscard]] std::string output() const { return Get(output_); }
  [[nodiscard]] std::string piece(const std::string& name) const {
    const std::lock_guard lock(mutex_);
    const auto found = pieces_.find(name);
    return found == pieces_.end() ? std::string() : found->second;
  }
  [[nodiscard]] std::optional<RunId> run_id() const { return Get(run_id_); }
  [[nodiscard]] std::optional<run::Outcome> outcome() const { return Get(outcome_); }
  [[nodiscard]] std::optional<run::Receipt> receipt() const { return Get(receipt_); }
  [[nodiscard]] std::vector<policy::Violation> violations() const { return Get(violations_); }

  void OnDenied(const std::vector<policy::Violation>& violations, std::string_view /*policy*/,
                std::string_view /*hash*/) override {
    Put(violations_, violations);
    told_.Add("denied");
  }
  void OnAdmitted(const RunId& run_id, const policy::AdmittedRun& /*admitted*/) override {
    Put(run_id_, run_id);
    told_.Add("admitted");
  }
  void OnQueued(std::uint32_t ahead) override { told_.Add("queued " + std::to_string(ahead)); }
  void OnStarted(const run::ResolvedImage& /*image*/, const std::string& /*id*/) override {
    told_.Add("started");
  }
  void OnTruncated(std::int64_t dropped_bytes, std::string_view reason) override {
    told_.Add("truncated " + std::string(reason) + " " + std::to_string(dropped_bytes));
  }
  Result<bool> OnOutputPiece(const std::string& name, std::string_view data) override {
    told_.Add("piece " + name);
    const std::lock_guard lock(mutex_);
    pieces_[name] += data;
    return !full_;
  }
  Result<void> OnOutputEnd(const std::string& name, const run::OutputSummary& summary,
                           std::string_view error) override {
    told_.Add("end " + name + " " + std::to_string(summary.omissions.count) + std::string(error));
    return Ok();
  }
  void OnOutcome(const run::Outcome& outcome) override {
    Put(outcome_, outcome);
    told_.Add("outcome " + std::string(ToString(outcome.kind)));
  }
  void OnReceipt(const run::Receipt& receipt) override {
    Put(receipt_, receipt);
    told_.Add("receipt");
  }
  void OnRefused(const Error& error) override {
    told_.Add("refused " + std::string(error.Reason()));
  }
  void OnAttached(run::Attachment& /*attachment*/) override { told_.Add("attached"); }
  Loss OnAttachmentClosing() override {
    told_.Add("closing");
    return {};
  }
  void OnDone() override {
    told_.Add("done");
    if (const auto then = Get(when_done_)) then();
  }
  void OnProgress(std::string_view /*layer*/, std::string_view /*status*/, std::int64_t /*now*/,
                  std::int64_t /*total*/) override {
    told_.Add("progress");
  }

  bool Write(run::OutputStream /*stream*/, std::span<const std::byte> data) override {
    const std::lock_guard lock(mutex_);
    for (const std::byte byte : data) output_.push_back(static_cast<char>(byte));
    return !full_;
  }
  void SetResume(std::function<void()> resume) override {
    const std::lock_guard lock(resume_mutex_);
    resume_ = std::move(resume);
  }

 private:
  template <typename T>
  T Get(const T& member) const {
    const std::lock_guard lock(mutex_);
    return member;
  }
  template <typename T, typename U>
  void Put(T& member, const U& value) {
    const std::lock_guard lock(mutex_);
    member = value;
  }

  FakeTrace told_;
  mutable std::mutex mutex_;
  bool full_ = false;
  // Of its own, since it is held while that calls the writer, who calls Write under its own lock.
  std::mutex resume_mutex_;
  std::function<void()> resume_;
  std::function<void()> when_done_;
  std::string output_;
  std::map<std::string, std::string> pieces_;
  std::optional<RunId> run_id_;
  std::optional<run::Outcome> outcome_;
  std::optional<run::Receipt> receipt_;
  std::vector<policy::Violation> violations_;
};

}  // namespace tidewaiter::testing
