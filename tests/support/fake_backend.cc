#include "tests/support/fake_backend.h"

#include <algorithm>
#include <cstdlib>
#include <utility>

namespace tidewaiter::testing {

using run::ContainerExit;
using run::Patience;
using run::Resource;

class FakeAttachment final : public run::Attachment {
 public:
  FakeAttachment(std::shared_ptr<FakeContainerState> state, run::OutputSink& sink)
      : state_(std::move(state)), sink_(sink) {
    {
      const std::lock_guard lock(state_->mutex_);
      state_->sink_ = &sink_;
    }
    sink_.SetResume([state = state_] {
      std::optional<std::int32_t> withheld;
      {
        const std::lock_guard lock(state->mutex_);
        ++state->resumes_;
        withheld = state->withheld_;
      }
      if (withheld) state->Exit(*withheld);
    });
  }
  ~FakeAttachment() override {
    sink_.SetResume({});
    const std::lock_guard lock(state_->mutex_);
    state_->sink_ = nullptr;
  }
  Completion<std::optional<Error>>& ended() override { return state_->ended_; }
  std::size_t WriteStdin(std::span<const std::byte> data) override { return data.size(); }
  void SetOnStdinRoom(std::function<void()> /*on_room*/) override {}
  void CloseStdin() override {}

 private:
  std::shared_ptr<FakeContainerState> state_;
  run::OutputSink& sink_;
};

class FakeContainer final : public run::Container {
 public:
  FakeContainer(FakeBackend& backend, std::shared_ptr<FakeContainerState> state, std::string id)
      : backend_(backend), state_(std::move(state)), id_(std::move(id)) {}

  [[nodiscard]] const std::string& id() const override { return id_; }

  Result<std::unique_ptr<run::Attachment>> Attach(run::OutputSink& sink, bool /*with_stdin*/,
                                                  const Patience& patience) override {
    backend_.trace_.Add("engine:attach");
    if (auto played = backend_.Play(FakeBackend::Step::kAttach, patience); played.error) {
      return *played.error;
    }
    return std::unique_ptr<run::Attachment>(std::make_unique<FakeAttachment>(state_, sink));
  }

  Result<void> Start(const Patience& patience) override {
    backend_.trace_.Add("engine:start");
    if (backend_.starts_unheard_) {
      const std::lock_guard lock(state_->mutex_);
      state_->started_ = true;
    }
    if (auto played = backend_.Play(FakeBackend::Step::kStart, patience); played.error) {
      return *played.error;
    }
    {
      const std::lock_guard lock(state_->mutex_);
      state_->started_ = true;
    }
    if (backend_.command_fails_) {
      state_->Exit(CommandNotFound());
    }
    return Ok();
  }

  Completion<ContainerExit>& exited() override { return state_->exited_; }

  Result<bool> Signal(int signal_number, const Patience& patience) override {
    backend_.trace_.Add("engine:signal " + std::to_string(signal_number));
    if (backend_.denied_signals_.contains(signal_number)) return false;
    const auto played = backend_.Play(FakeBackend::Step::kSignal, patience);
    const bool running = !state_->exited_.Peek();
    if (played.done && !backend_.ignored_signals_.contains(signal_number)) {
      state_->Exit(128 + signal_number);
    }
    if (played.error) return *played.error;
    return running;
  }

  [[nodiscard]] std::optional<Resource> Runner() override {
    const std::lock_guard lock(state_->mutex_);
    if (!backend_.with_pods_ || !state_->started_) return std::nullopt;
    return Resource{.kind = Resource::Kind::kPod, .name = "pods", .id = FakeBackend::kPod};
  }

  bool EndIsWithheld(const Patience& /*patience*/) override {
    backend_.trace_.Add("engine:ask whether it has ended");
    const std::lock_guard lock(state_->mutex_);
    return state_->withheld_ && !state_->exited_.Peek();
  }

  bool StreamsCutOff() override {
    const std::lock_guard lock(state_->mutex_);
    return state_->cut_off_ && !state_->ended_.Peek().value_or(std::nullopt);
  }

  Result<bool> ReadLog(run::LogPosition& position, const run::LogTaker& take,
                       const Patience& patience) override {
    backend_.trace_.Add("engine:read log");
    if (patience.stop.stop_requested()) return Fail(ErrorCode::kCancelled, "read log: stopped");
    auto played = backend_.Play(FakeBackend::Step::kReadLog, patience);
    if (!played.done) return *played.error;
    std::vector<std::pair<run::OutputStream, std::string>> log;
    {
      const std::lock_guard lock(state_->mutex_);
      if (!state_->keeps_log_) {
        return Fail(ErrorCode::kFailedPrecondition, "read log: none is kept", "LOG_NOT_KEPT");
      }
      if (state_->log_lost_) {
        return Fail(ErrorCode::kResourceExhausted, "read log: some of it is gone",
                    "LOG_INCOMPLETE");
      }
      log = state_->log_;
    }
    run::LogPosition at;
    for (const auto& [stream, text] : log) {
      const bool out = stream == run::OutputStream::kStdout;
      std::uint64_t& begin = out ? at.stdout_bytes : at.stderr_bytes;
      std::uint64_t& had = out ? position.stdout_bytes : position.stderr_bytes;
      const std::uint64_t end = begin + text.size();
      const auto fresh =
          std::as_bytes(std::span(text)).subspan(std::clamp(had, begin, end) - begin);
      begin = end;
      if (fresh.empty()) continue;
      had = end;
      if (!take(stream, fresh)) return false;
    }
    if (played.error) return *played.error;
    return true;
  }

  [[nodiscard]] bool FollowsLog() const override { return backend_.follows_log_; }

  std::unique_ptr<run::Attachment> FollowLog(const run::LogPosition& position,
                                             run::OutputSink& sink) override {
    backend_.trace_.Add("engine:follow log from " + std::to_string(position.stdout_bytes));
    {
      const std::lock_guard lock(state_->mutex_);
      std::uint64_t passed = 0;
      for (const auto& [stream, text] : state_->log_) {
        const std::size_t known =
            std::min<std::uint64_t>(position.stdout_bytes - passed, text.size());
        passed += known;
        static_cast<void>(sink.Write(stream, std::as_bytes(std::span(text)).subspan(known)));
      }
    }
    return std::make_unique<FakeAttachment>(state_, sink);
  }

  Result<run::Omissions> FetchOutput(const run::OutputRequest& request,
                                     const run::ArchiveWriter& write,
                                     const Patience& patience) override {
    backend_.trace_.Add("engine:fetch " + request.name + " of " +
                        std::to_string(request.max_bytes) + (request.last ? ", the last" : ""));
    if (auto played = backend_.Play(FakeBackend::Step::kFetch, patience); played.error) {
      return *played.error;
    }
    std::pair<std::string, run::Omissions> output;
    {
      const std::lock_guard lock(backend_.mutex_);
      output = backend_.left_[request.name];
    }
    if (backend_.cut_outputs_ > 0) {
      --backend_.cut_outputs_;
      TW_TRY(write("half"));
      return Fail(ErrorCode::kUnavailable, "fetch it: the connection broke",
                  std::string(run::kOutputCut));
    }
    TW_TRY(write(output.first));
    return output.second;
  }

 private:
  FakeBackend& backend_;
  std::shared_ptr<FakeContainerState> state_;
  std::string id_;
};

void FakeBackend::Set(Step step, Way way) {
  const std::lock_guard lock(mutex_);
  ways_[step] = way;
}

void FakeBackend::HangRemovalsOf(const RunId& run_id) {
  const std::lock_guard lock(mutex_);
  hanging_removals_ = run_id;
}

bool FakeBackend::HangsFor(const RunId& run_id) const {
  const std::lock_guard lock(mutex_);
  return hanging_removals_ == run_id;
}

void FakeBackend::FailNext(Step step, int times, int spared) {
  const std::lock_guard lock(mutex_);
  failures_[step] = times;
  spared_[step] = spared;
}

void FakeBackend::Release() {
  {
    const std::lock_guard lock(mutex_);
    released_ = true;
  }
  changed_.notify_all();
}

void FakeBackend::DenySignal(int signal_number) {
  const std::lock_guard lock(mutex_);
  denied_signals_.insert(signal_number);
}

void FakeBackend::IgnoreSignal(int signal_number) {
  ignored_signals_.insert(signal_number);
}

void FakeBackend::Refuse(policy::Violation violation) {
  refusals_.push_back(std::move(violation));
}

void FakeBackend::CommandFails() {
  command_fails_ = true;
}

std::shared_ptr<FakeContainerState> FakeBackend::WaitContainer(std::size_t index) {
  std::unique_lock lock(mutex_);
  // A test that goes on without its container would only fail less clearly.
  if (!changed_.wait_for(lock, kPatience, [&] { return containers_.size() > index; })) std::abort();
  return containers_[index];
}

void FakeBackend::ExitIfThere(const RunId& run_id, std::int32_t code) {
  const std::lock_guard lock(mutex_);
  for (const auto& state : containers_) {
    if (state->run_id() == run_id) state->Exit(code);
  }
}

void FakeBackend::Plant(const Resource& resource, const RunId& run_id) {
  const std::lock_guard lock(mutex_);
  existing_[resource.name] = Owned{.resource = resource, .run_id = run_id};
}

std::set<std::string> FakeBackend::Existing() const {
  std::set<std::string> names;
  const std::lock_guard lock(mutex_);
  for (const auto& [name, owned] : existing_) names.insert(name);
  return names;
}

std::vector<policy::Violation> FakeBackend::Unsupported(
    const policy::EffectiveRun& /*effective*/) const {
  return refusals_;
}

Result<run::ResolvedImage> FakeBackend::Resolve(const policy::AdmittedRun& /*admitted*/,
                                                run::ImageProgressSink& progress,
                                                const Patience& patience) {
  trace_.Add("engine:resolve");
  if (auto played = Play(Step::kResolve, patience); played.error) return *played.error;
  progress.OnProgress("layer", "pulling", 1, 2);
  return run::ResolvedImage{.digest = "sha256:d", .image_id = "sha256:i"};
}

std::vector<Resource> FakeBackend::Plan(const policy::AdmittedRun& /*admitted*/,
                                        const RunId& run_id) const {
  std::vector<Resource> resources;
  if (with_network_) {
    resources.push_back(
        {.kind = Resource::Kind::kNetwork, .name = "net-" + run_id.value(), .id = ""});
  }
  if (with_pods_) {
    resources.push_back({.kind = Resource::Kind::kPod, .name = "pods-" + run_id.value(), .id = ""});
  }
  resources.push_back(
      {.kind = Resource::Kind::kContainer, .name = "tw-" + run_id.value(), .id = ""});
  return resources;
}

Result<void> FakeBackend::TakeInputs(const Creation& creation, const Patience& patience) {
  for (const policy::Mount& mount : creation.admitted.effective().mounts) {
    const auto* input = std::get_if<policy::InputMount>(&mount.source);
    if (input == nullptr) continue;
    const auto take = [&](std::string_view piece) -> Result<void> {
      const std::lock_guard lock(mutex_);
      carried_[input->name] += piece;
      return Ok();
    };
    TW_TRY(creation.read_input(input->name, take, patience));
  }
  return Ok();
}

std::string FakeBackend::Carried(const std::string& input) const {
  const std::lock_guard lock(mutex_);
  const auto found = carried_.find(input);
  return found == carried_.end() ? std::string() : found->second;
}

void FakeBackend::LeaveOutput(const std::string& name, std::string archive,
                              run::Omissions omissions) {
  const std::lock_guard lock(mutex_);
  left_[name] = {std::move(archive), std::move(omissions)};
}

Result<std::unique_ptr<run::Container>> FakeBackend::Create(const Creation& creation,
                                                            std::vector<Resource>& resources,
                                                            const Patience& patience) {
  const RunId& run_id = creation.run_id;
  trace_.Add("engine:create");
  const auto played = Play(Step::kCreate, patience);
  auto state = std::make_shared<FakeContainerState>(run_id);
  if (withheld_) state->ExitWithheld(*withheld_);
  state->keeps_log_ = creation.keeps_log;
  if (carriage_.carried) TW_TRY(TakeInputs(creation, patience));
  if (played.done) {
    {
      const std::lock_guard lock(mutex_);
      for (Resource& resource : resources) {
        if (resource.kind == Resource::Kind::kPod) continue;  // it comes with the start
        const std::string id = "id-" + resource.name;
        existing_[resource.name] = Owned{
            .resource = {.kind = resource.kind, .name = resource.name, .id = id}, .run_id = run_id};
        if (!played.error) resource.id = id;
      }
      containers_.push_back(state);
    }
    changed_.notify_all();
  }
  if (played.error) return *played.error;
  return std::unique_ptr<run::Container>(
      std::make_unique<FakeContainer>(*this, state, resources.back().id));
}

std::shared_ptr<FakeContainerState> FakeBackend::Leave(const Resource& container,
                                                       const RunId& run_id, bool started) {
  auto state = std::make_shared<FakeContainerState>(run_id);
  state->keeps_log_ = true;
  state->started_ = started;
  const std::lock_guard lock(mutex_);
  existing_[container.name] = Owned{.resource = container, .run_id = run_id};
  containers_.push_back(state);
  return state;
}

Result<run::Adopted> FakeBackend::Adopt(const Former& former, const RunId& run_id,
                                        const Patience& patience) {
  const Resource& container = former.container;
  trace_.Add("engine:adopt");
  if (auto played = Play(Step::kAdopt, patience); played.error) return *played.error;
  const std::lock_guard lock(mutex_);
  expected_runners_.push_back(former.runner);
  const auto found = existing_.find(container.name);
  const bool other = found != existing_.end() && !container.id.empty() &&
                     found->second.resource.id != container.id;
  if (found == existing_.end() || other) {
    return Fail(ErrorCode::kNotFound, "adopt: there is none", "CONTAINER_GONE");
  }
  if (found->second.run_id != run_id) {
    return Fail(ErrorCode::kFailedPrecondition, "adopt: it is another's", "FOREIGN_CONTAINER");
  }
  const auto state = std::find_if(containers_.begin(), containers_.end(),
                                  [&](const auto& one) { return one->run_id() == run_id; });
  if (state == containers_.end()) std::abort();  // planted, which is not left
  run::Adopted adopted;
  adopted.container = std::make_unique<FakeContainer>(*this, *state, found->second.resource.id);
  adopted.image_id = "sha256:i";
  const std::lock_guard state_lock((*state)->mutex_);
  adopted.started_at = (*state)->started_at_;
  if ((*state)->exited_.Peek()) {
    adopted.state = run::Adopted::State::kEnded;
    adopted.finished_at = (*state)->finished_at_;
  } else if (!(*state)->started_) {
    adopted.state = run::Adopted::State::kCreated;
    adopted.start_error = (*state)->start_error_;
  }
  return adopted;
}

run::Removal FakeBackend::Remove(const Resource& resource, const RunId& run_id, Deadline deadline) {
  trace_.Add("engine:remove " + std::string(ToString(resource.kind)));
  const Patience patience{.stop = {}, .deadline = deadline};
  auto played = Play(Step::kRemove, patience);
  if (HangsFor(run_id)) {
    std::unique_lock lock(mutex_);
    if (!changed_.wait_until(lock, deadline.when(), [this] { return released_; })) {
      played = {.done = false, .error = Fail(ErrorCode::kDeadlineExceeded, "remove: still at it")};
    }
  }
  run::Removal removal{.kind = std::string(ToString(resource.kind)),
                       .id = resource.id.empty() ? resource.name : resource.id,
                       .confirmed_absent = !played.error.has_value(),
                       .error = played.error ? played.error->message : "",
                       .reason = played.error ? std::string(played.error->Reason()) : ""};
  if (!played.done) return removal;
  const std::lock_guard lock(mutex_);
  const auto found = existing_.find(resource.name);
  if (found == existing_.end() || found->second.run_id != run_id) return removal;
  existing_.erase(found);
  for (const auto& state : containers_) {
    if (state->run_id() == run_id && resource.kind == Resource::Kind::kContainer) state->Exit(137);
  }
  return removal;
}

void FakeBackend::Forget(const std::string& name) {
  const std::lock_guard lock(mutex_);
  existing_.erase(name);
}

void FakeBackend::ExpectLate(const Resource& resource, std::chrono::milliseconds elapsed) {
  const std::lock_guard lock(mutex_);
  expected_[resource.name] = elapsed;
}

std::vector<std::string> FakeBackend::ExpectedRunners() const {
  const std::lock_guard lock(mutex_);
  return expected_runners_;
}

std::map<std::string, std::chrono::milliseconds> FakeBackend::Expected() const {
  const std::lock_guard lock(mutex_);
  return expected_;
}

Result<std::vector<run::Backend::Owned>> FakeBackend::ListOwned(const run::Patience& patience) {
  trace_.Add("engine:list");
  if (auto played = Play(Step::kList, patience); played.error) {
    return *played.error;
  }
  std::vector<Owned> owned;
  const std::lock_guard lock(mutex_);
  for (const auto& [name, thing] : existing_) owned.push_back(thing);
  return owned;
}

Result<std::vector<run::Backend::Labelled>> FakeBackend::ListLabelled(Deadline /*deadline*/) {
  return std::vector<Labelled>();
}

Result<std::string> FakeBackend::Describe(Deadline /*deadline*/) {
  return std::string("fake");
}

FakeBackend::Played FakeBackend::Play(Step step, const Patience& patience) {
  std::unique_lock lock(mutex_);
  if (failures_[step] > 0 && spared_[step]-- <= 0) {
    --failures_[step];
    return {.done = false,
            .error = Fail(ErrorCode::kUnavailable, "reach the engine: it is away",
                          "ENGINE_UNAVAILABLE")};
  }
  switch (ways_[step]) {
    case Way::kSucceed: return {};
    case Way::kFail:
      return {.done = false,
              .error = Fail(ErrorCode::kUnavailable, "reach the engine: it is away",
                            "ENGINE_UNAVAILABLE")};
    case Way::kFailAfterwards:
      return {.done = true,
              .error = Fail(ErrorCode::kUnavailable, "reach the engine: it hung up",
                            "ENGINE_UNAVAILABLE")};
    case Way::kHang:
      changed_.wait_until(lock, patience.stop, patience.deadline.when(), [] { return false; });
      return {.done = false,
              .error = Fail(patience.stop.stop_requested() ? ErrorCode::kCancelled
                                                           : ErrorCode::kDeadlineExceeded,
                            "reach the engine: no answer")};
    case Way::kBlock: changed_.wait(lock, [&] { return released_; }); return {};
  }
  return {};
}

}  // namespace tidewaiter::testing
