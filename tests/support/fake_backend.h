// An engine of a few maps, for tests of the core: every step can succeed, fail, hang until its
// patience ends, or block until it is released; containers do what the test says. Thread-safe.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "broker/run/backend.h"
#include "tests/support/fake_container_state.h"
#include "tests/support/fake_trace.h"

namespace tidewaiter::testing {

class FakeBackend final : public run::Backend {
 public:
  enum class Step {
    kResolve,
    kCreate,
    kAdopt,
    kAttach,
    kStart,
    kSignal,
    kReadLog,
    kFetch,
    kRemove,
    kList
  };
  enum class Way {
    kSucceed,
    kFail,            // ENGINE_UNAVAILABLE, nothing done
    kFailAfterwards,  // done, and the answer lost
    kHang,            // until the patience ends
    kBlock,           // until Release(), whatever the patience says; then as kSucceed
  };

  explicit FakeBackend(FakeTrace& trace) : trace_(trace) {}

  void Set(Step step, Way way);
  // For the next `times` calls of `step`, once `spared` have succeeded; afterwards it succeeds.
  void FailNext(Step step, int times, int spared = 0);
  void Release();
  // Every removal of something of this run takes all its time, or until Release().
  void HangRemovalsOf(const RunId& run_id);
  // What a signal does: end the container (the default), or nothing.
  void IgnoreSignal(int signal_number);
  // To that signal it answers that the container does not run, and does nothing.
  void DenySignal(int signal_number);
  void Refuse(policy::Violation violation);
  void Note(policy::Enforcement note) { notes_.push_back(std::move(note)); }
  // Every container has ended from the first moment, as by FakeContainerState::ExitWithheld.
  void WithholdExits(std::int32_t code) { withheld_ = code; }
  // The command is missing: Start succeeds, and the container has "exited" with 127.
  void CommandFails();
  // A start begins the command, whatever it answers.
  void StartsUnheard() { starts_unheard_ = true; }
  // Its containers give out their logs by themselves.
  void FollowLogs() { follows_log_ = true; }
  void UseNetworks() { with_network_ = true; }
  // As a cluster: what runs the command is made by the engine, at the start, and has its own id.
  void MakePods() { with_pods_ = true; }
  // What runs the commands of those that are started from now on, or were left.
  static constexpr const char* kPod = "the first pod";
  // What Adopt was told of it, each time.
  [[nodiscard]] std::vector<std::string> ExpectedRunners() const;
  // The next `times` outputs are cut off amid their archives.
  void CutOutputs(int times) { cut_outputs_ = times; }
  // It carries files; what came for an input is Carried's answer.
  void CarryFiles(std::uint64_t max_input_bytes) {
    carriage_ = {.carried = true, .max_input_bytes = max_input_bytes};
  }
  [[nodiscard]] std::string Carried(const std::string& input) const;
  // What the container has left in that output, and what was left out of it.
  void LeaveOutput(const std::string& name, std::string archive, run::Omissions omissions = {});

  // Waits for the `index`th container to be created.
  std::shared_ptr<FakeContainerState> WaitContainer(std::size_t index = 0);
  // Ends that run's container, where there is one.
  void ExitIfThere(const RunId& run_id, std::int32_t code);
  // A container that a former broker made for that run, with its log kept, which has been started
  // or not.
  std::shared_ptr<FakeContainerState> Leave(const run::Resource& container, const RunId& run_id,
                                            bool started = true);
  // Something with this broker's label that the test puts there.
  void Plant(const run::Resource& resource, const RunId& run_id);
  // As if somebody else had removed it.
  void Forget(const std::string& name);
  // Names of everything that exists.
  [[nodiscard]] std::set<std::string> Existing() const;

  [[nodiscard]] std::string_view name() const override { return "docker"; }
  [[nodiscard]] std::vector<policy::Violation> Unsupported(
      const policy::EffectiveRun& effective) const override;
  [[nodiscard]] std::vector<policy::Enforcement> Notes(
      const policy::EffectiveRun& /*effective*/) const override {
    return notes_;
  }
  [[nodiscard]] run::FileCarriage Carriage() const override { return carriage_; }
  Result<run::ResolvedImage> Resolve(const policy::AdmittedRun& admitted,
                                     run::ImageProgressSink& progress,
                                     const run::Patience& patience) override;
  [[nodiscard]] std::vector<run::Resource> Plan(const policy::AdmittedRun& admitted,
                                                const RunId& run_id) const override;
  Result<std::unique_ptr<run::Container>> Create(const Creation& creation,
                                                 std::vector<run::Resource>& resources,
                                                 const run::Patience& patience) override;
  Result<run::Adopted> Adopt(const Former& former, const RunId& run_id,
                             const run::Patience& patience) override;
  run::Removal Remove(const run::Resource& resource, const RunId& run_id,
                      Deadline deadline) override;
  void ExpectLate(const run::Resource& resource, std::chrono::milliseconds elapsed) override;
  // What ExpectLate was told of, by name, and how long ago its broker was gone.
  [[nodiscard]] std::map<std::string, std::chrono::milliseconds> Expected() const;
  Result<std::vector<Owned>> ListOwned(const run::Patience& patience) override;
  // Nothing: what asks for it is tested on what it may answer (daemon.Leaks.*).
  Result<std::vector<Labelled>> ListLabelled(Deadline deadline) override;
  Result<std::string> Describe(Deadline deadline) override;

 private:
  friend class FakeContainer;
  // Whether the step is to be done, and what it then answers.
  struct Played {
    bool done = true;
    std::optional<Error> error;
  };
  [[nodiscard]] bool HangsFor(const RunId& run_id) const;
  Played Play(Step step, const run::Patience& patience);
  Result<void> TakeInputs(const Creation& creation, const run::Patience& patience);

  FakeTrace& trace_;
  mutable std::mutex mutex_;
  std::condition_variable_any changed_;
  std::set<int> denied_signals_;
  std::map<Step, Way> ways_;
  std::map<Step, int> failures_;
  std::map<Step, int> spared_;
  bool released_ = false;
  RunId hanging_removals_;
  bool with_network_ = false;
  bool with_pods_ = false;
  std::vector<std::string> expected_runners_;
  run::FileCarriage carriage_;
  std::map<std::string, std::string> carried_;                          // inputs, by name
  std::map<std::string, std::pair<std::string, run::Omissions>> left_;  // outputs, by name
  std::atomic<bool> follows_log_{false};
  std::atomic<int> cut_outputs_{0};
  std::atomic<bool> starts_unheard_{false};
  bool command_fails_ = false;
  std::optional<std::int32_t> withheld_;
  std::set<int> ignored_signals_;
  std::vector<policy::Violation> refusals_;
  std::vector<policy::Enforcement> notes_;
  std::vector<std::shared_ptr<FakeContainerState>> containers_;
  std::map<std::string, Owned> existing_;  // by name
  std::map<std::string, std::chrono::milliseconds> expected_;
};

}  // namespace tidewaiter::testing
