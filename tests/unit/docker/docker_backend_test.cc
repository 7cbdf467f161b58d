// The backend against an engine that misbehaves at any one of its calls.
#include "broker/docker/docker_backend.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <functional>
#include <memory>
#include <string>

#include "broker/docker/unsupported.h"
#include "tests/support/admitted_run.h"
#include "tests/support/eventually.h"
#include "tests/support/scratch_folder.h"
#include "tests/support/stand_in_engine.h"

namespace tidewaiter::docker {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::tidewaiter::testing::Eventually;
using ::tidewaiter::testing::StandInEngine;
using Fault = StandInEngine::Fault;
using std::chrono::milliseconds;
using std::chrono::seconds;

class NoProgress final : public run::ImageProgressSink {
  void OnProgress(std::string_view, std::string_view, std::int64_t, std::int64_t) override {}
};

class NoOutput final : public run::OutputSink {
 public:
  bool Write(run::OutputStream, std::span<const std::byte>) override { return true; }
  void SetResume(std::function<void()>) override {}
};

run::Patience Soon(milliseconds limit = seconds(20)) {
  return {.stop = {}, .deadline = Deadline::After(limit)};
}

policy::RunSpec Spec() {
  policy::RunSpec spec;
  spec.image = std::string("registry.example/lab/job:1.0.0@") + StandInEngine::kDigest;
  spec.command = {"exit", "3"};
  spec.network = policy::NetworkMode::kIsolated;
  return spec;
}

class DockerBackendTest : public ::testing::Test {
 protected:
  DockerBackendTest() : engine_(folder_ / "engine.sock"), loop_(*io::EventLoop::Start()) {
    http_ = *io::HttpClient::Create(*loop_);
    settings_.socket = folder_ / "engine.sock";
    settings_.broker_id = BrokerId(RandomId());
    settings_.call_timeout = settings_.create_timeout = settings_.start_timeout =
        settings_.attach_timeout = milliseconds(400);
    settings_.settle_time = milliseconds(0);
    backend_ = std::make_unique<DockerBackend>(*loop_, *http_, settings_);
  }

  policy::AdmittedRun Admitted(const policy::RunSpec& spec = Spec()) const {
    return ::tidewaiter::testing::Admit(
        ::tidewaiter::testing::PermissivePolicy("registry.example/lab/*"), spec);
  }

  // One run to its exit, stopping at the first error, which is returned.
  Result<run::ContainerExit> Run(const policy::AdmittedRun& admitted) {
    NoProgress progress;
    NoOutput output;
    TW_ASSIGN(const run::ResolvedImage image, backend_->Resolve(admitted, progress, Soon()));
    TW_ASSIGN(const std::unique_ptr<run::Container> container,
              backend_->Create({.admitted = admitted,
                                .run_id = run_id_,
                                .principal = "tester",
                                .image = image,
                                .sources = sources_,
                                .with_stdin = false},
                               resources_, Soon()));
    TW_ASSIGN(const std::unique_ptr<run::Attachment> attachment,
              container->Attach(output, false, Soon()));
    TW_TRY(container->Start(Soon()));
    const auto exit = container->exited().Wait({}, Deadline::After(seconds(10)));
    if (!exit) return Fail(ErrorCode::kDeadlineExceeded, "no exit");
    return *exit;
  }

  // As the supervisor's teardown: in reverse order of creation.
  void RemoveAll() {
    for (auto it = resources_.rbegin(); it != resources_.rend(); ++it) {
      run::Removal removal;
      // As the reaper: a create whose answer was lost stays in doubt for as long as it may take.
      EXPECT_TRUE(Eventually([&] {
        removal = backend_->Remove(*it, run_id_, Deadline::After(seconds(10)));
        return removal.confirmed_absent;
      })) << removal.error;
    }
  }

  ::tidewaiter::testing::ScratchFolder folder_;
  StandInEngine engine_;
  DockerSettings settings_;
  RunId run_id_{RandomId()};
  run::MountSources sources_{.inputs = "/state/in", .outputs = "/state/out"};
  std::unique_ptr<io::EventLoop> loop_;
  std::unique_ptr<io::HttpClient> http_;
  std::unique_ptr<DockerBackend> backend_;
  std::vector<run::Resource> resources_;
};

TEST_F(DockerBackendTest, RunMakesNoMoreCallsThanItMust) {
  policy::RunSpec spec = Spec();
  spec.network = policy::NetworkMode::kNone;
  const policy::AdmittedRun admitted = Admitted(spec);
  ASSERT_TRUE(Run(admitted).has_value());  // asks the version and what the engine can do, once
  RemoveAll();
  resources_.clear();
  run_id_ = RunId(RandomId());
  const std::size_t before = engine_.Calls().size();
  const auto exit = Run(admitted);
  ASSERT_TRUE(exit.has_value()) << exit.error().message;
  EXPECT_EQ(exit->exit_code, 3);
  RemoveAll();
  EXPECT_EQ(engine_.Calls().size() - before, 7U);
}

struct FaultyCall {
  Fault fault;
  const char* name;
};

class FaultAtEveryCall : public DockerBackendTest,
                         public ::testing::WithParamInterface<FaultyCall> {};

// Whichever call goes wrong, and however: an answer comes in time, and what the run's journal names
// can be removed without a trace.
TEST_P(FaultAtEveryCall, IsAnsweredAndLeavesNothing) {
  const policy::AdmittedRun admitted = Admitted();
  bool reached = true;
  for (std::size_t faulty = 0; reached; ++faulty) {
    std::atomic<std::size_t> calls{0};
    engine_.SetFaults([&, faulty](std::size_t, const std::string& call) {
      if (call == "GET /events" || call == "GET /version") return Fault::kNone;
      return calls++ == faulty ? GetParam().fault : Fault::kNone;
    });
    run_id_ = RunId(RandomId());
    resources_ = backend_->Plan(admitted, run_id_);
    const auto exit = Run(admitted);
    reached = calls > faulty;
    engine_.SetFaults({});
    if (exit && !exit->lost) {
      EXPECT_EQ(exit->exit_code, 3);
    }
    if (!reached) {
      EXPECT_TRUE(exit.has_value());
    }
    RemoveAll();
    EXPECT_EQ(engine_.ContainerCount(), 0U) << "call " << faulty;
    EXPECT_EQ(engine_.NetworkCount(), 0U) << "call " << faulty;
  }
}

INSTANTIATE_TEST_SUITE_P(DockerBackendTest, FaultAtEveryCall,
                         ::testing::Values(FaultyCall{Fault::kResetBefore, "ResetBefore"},
                                           FaultyCall{Fault::kResetAfter, "ResetAfter"},
                                           FaultyCall{Fault::kError500, "Error500"},
                                           FaultyCall{Fault::kConflict409, "Conflict409"},
                                           FaultyCall{Fault::kNotFound404, "NotFound404"},
                                           FaultyCall{Fault::kHang, "Hang"},
                                           FaultyCall{Fault::kGarbage, "Garbage"}),
                         [](const auto& call) { return std::string(call.param.name); });

TEST_F(DockerBackendTest, AttachThatIsNotAnsweredIsAnEngineThatIsNotThere) {
  engine_.SetFaults([](std::size_t, const std::string& call) {
    return call.ends_with("/attach") ? Fault::kHang : Fault::kNone;
  });
  const auto exit = Run(Admitted());
  ASSERT_FALSE(exit.has_value());
  EXPECT_EQ(exit.error().Reason(), "ENGINE_UNAVAILABLE");
  EXPECT_THAT(exit.error().message, HasSubstr("attach"));
  engine_.SetFaults({});
  RemoveAll();
}

TEST_F(DockerBackendTest, EventStreamThatDoesNotOpenIsAnErrorWithinItsBudget) {
  engine_.SetFaults([](std::size_t, const std::string& call) {
    return call == "GET /events" ? Fault::kHang : Fault::kNone;
  });
  settings_.check_timeout = milliseconds(100);
  backend_ = std::make_unique<DockerBackend>(*loop_, *http_, settings_);
  EXPECT_TRUE(Eventually([this] {
    const auto calls = engine_.Calls();
    return std::count(calls.begin(), calls.end(), "GET /events") >= 3;
  }));
  engine_.SetFaults({});
  EXPECT_TRUE(Run(Admitted()).has_value());
  RemoveAll();
}

// An engine that has stopped answering in the middle of a run, its connections still open.
TEST_F(DockerBackendTest, EngineThatHangsLosesTheRunsThatItHas) {
  settings_.check_timeout = settings_.ping_interval = milliseconds(100);
  settings_.event_loss_limit = milliseconds(300);
  backend_ = std::make_unique<DockerBackend>(*loop_, *http_, settings_);
  policy::RunSpec spec = Spec();
  spec.command = {"run", "until killed"};
  engine_.SetFaults(
      [started = std::make_shared<std::atomic<bool>>(false)](std::size_t, const std::string& call) {
        if (call.ends_with("/start")) {
          *started = true;
          return Fault::kNone;
        }
        return *started ? Fault::kHang : Fault::kNone;
      });
  const auto exit = Run(Admitted(spec));
  ASSERT_TRUE(exit.has_value()) << exit.error().message;
  ASSERT_TRUE(exit->lost.has_value());
  EXPECT_EQ(exit->lost->Reason(), "ENGINE_UNAVAILABLE");
  engine_.SetFaults({});
  RemoveAll();
}

TEST_F(DockerBackendTest, WhatTheEngineCanDoIsAskedAgainAfterItsEventsWereLost) {
  ASSERT_TRUE(Run(Admitted()).has_value());
  RemoveAll();
  const auto asked = [this] {
    const auto calls = engine_.Calls();
    return std::count(calls.begin(), calls.end(), "GET /info");
  };
  ASSERT_EQ(asked(), 1);
  engine_.BreakEvents();
  EXPECT_TRUE(Eventually([&] {
    resources_.clear();
    run_id_ = RunId(RandomId());
    const bool ran = Run(Admitted()).has_value();
    RemoveAll();
    return ran && asked() == 2;
  }));
}

TEST_F(DockerBackendTest, BindOfTheEnginesOwnDataIsUnsupported) {
  for (const char* source : {"/srv/engine", "/srv/engine/overlay2", "/srv"}) {
    policy::EffectiveRun run;
    run.mounts = {{.target = "/a", .read_only = true, .source = policy::BindMount{source}}};
    const auto violations = backend_->Unsupported(run);
    ASSERT_THAT(violations, SizeIs(1)) << source;
    EXPECT_EQ(violations[0].rule, kRuleEngineData);
    EXPECT_EQ(violations[0].field, "mounts[0].bind.source");
  }
  policy::EffectiveRun run;
  run.mounts = {{.target = "/a", .read_only = true, .source = policy::BindMount{"/srv/engines"}}};
  EXPECT_THAT(backend_->Unsupported(run), IsEmpty());
}

TEST_F(DockerBackendTest, BindThatWasDecidedWithoutTheEngineIsCheckedBeforeItIsMade) {
  policy::RunSpec spec = Spec();
  spec.mounts = {{.target = "/a", .read_only = true, .source = policy::BindMount{"/srv/engine"}}};
  const auto exit = Run(Admitted(spec));
  ASSERT_FALSE(exit.has_value());
  EXPECT_EQ(exit.error().Reason(), "UNSUPPORTED");
  EXPECT_EQ(engine_.ContainerCount(), 0U);
  RemoveAll();
}

TEST_F(DockerBackendTest, EngineThatRunsSomethingElseIsRefused) {
  engine_.SetTamper([](nlohmann::json& inspect) { inspect["HostConfig"]["Privileged"] = true; });
  const auto exit = Run(Admitted());
  ASSERT_FALSE(exit.has_value());
  EXPECT_EQ(exit.error().Reason(), "ENGINE_DIFFERS");
  EXPECT_THAT(exit.error().message, HasSubstr("HostConfig.Privileged"));
  RemoveAll();
}

TEST_F(DockerBackendTest, AbsentEngineIsAnErrorWithinTheCallersPatience) {
  settings_.socket = folder_ / "nobody";
  DockerBackend backend(*loop_, *http_, settings_);
  const auto described = backend.Describe(Deadline::After(seconds(5)));
  ASSERT_FALSE(described.has_value());
  EXPECT_EQ(described.error().Reason(), "ENGINE_UNAVAILABLE");
}

TEST_F(DockerBackendTest, ListOwnedPassesOverWhatIsNotWhollyOurs) {
  const std::string ours = settings_.broker_id.value();
  const std::string run = RandomId();
  const std::string id = engine_.PlantContainer(
      "tw-" + run, {{"io.tidewaiter.broker", ours}, {"io.tidewaiter.run", run}});
  engine_.PlantContainer("a", {{"io.tidewaiter.broker", "other"}, {"io.tidewaiter.run", run}});
  engine_.PlantContainer("b", {{"io.tidewaiter.broker", ours}, {"io.tidewaiter.run", "../x"}});
  engine_.PlantContainer("c", {{"io.tidewaiter.broker", ours}});
  const auto owned = backend_->ListOwned({.stop = {}, .deadline = Deadline::After(seconds(10))});
  ASSERT_TRUE(owned.has_value()) << owned.error().message;
  ASSERT_THAT(*owned, SizeIs(1));
  EXPECT_EQ(owned->front().resource.id, id);
  EXPECT_EQ(owned->front().run_id.value(), run);
}

// As dockershim 1.20 names and labels them: a pod's labels are on its containers, too.
TEST_F(DockerBackendTest, ListOwnedLeavesContainersOfPodsToTheKubelet) {
  const std::string run = RandomId();
  nlohmann::json labels = {{"io.tidewaiter.broker", settings_.broker_id.value()},
                           {"io.tidewaiter.run", run},
                           {"io.kubernetes.pod.uid", "43eadf9a-5099-4c51-833a-b5f60b65b777"}};
  engine_.PlantContainer("k8s_POD_tw-" + run + "-6pbzr_tidewaiter_43eadf9a_0", labels);
  // Labels alone make nobody a kubelet: a run may have chosen them.
  const std::string id = engine_.PlantContainer("tw-" + run, labels);
  const auto owned = backend_->ListOwned(Soon());
  ASSERT_TRUE(owned.has_value()) << owned.error().message;
  ASSERT_THAT(*owned, SizeIs(1));
  EXPECT_EQ(owned->front().resource.id, id);
}

TEST_F(DockerBackendTest, ListOwnedIsCompleteWhereItTakesPages) {
  settings_.call_timeout = seconds(10);
  backend_ = std::make_unique<DockerBackend>(*loop_, *http_, settings_);
  for (int i = 0; i < 600; ++i) {
    engine_.PlantContainer(
        "tw-" + std::to_string(i),
        {{"io.tidewaiter.broker", settings_.broker_id.value()}, {"io.tidewaiter.run", RandomId()}});
  }
  const auto owned = backend_->ListOwned(Soon());
  ASSERT_TRUE(owned.has_value()) << owned.error().message;
  EXPECT_THAT(*owned, SizeIs(600));
}

TEST_F(DockerBackendTest, AbsenceOfWhatAFormerBrokerAskedForIsNotBelievedBeforeTheSettleTime) {
  settings_.settle_time = seconds(2);
  settings_.call_timeout = seconds(10);
  backend_ = std::make_unique<DockerBackend>(*loop_, *http_, settings_);
  resources_ = backend_->Plan(Admitted(), run_id_);
  const Deadline asked = Deadline::After({});
  backend_->ExpectLate(resources_.back(), milliseconds(0));
  const auto at_once = backend_->Remove(resources_.back(), run_id_, Deadline::After(seconds(10)));
  EXPECT_FALSE(at_once.confirmed_absent);
  EXPECT_EQ(at_once.reason, "STILL_CREATING");
  RemoveAll();
  EXPECT_GE(Deadline::Clock::now() - asked.when(), settings_.settle_time);
}

TEST_F(DockerBackendTest, AbsenceOfWhatABrokerThatIsLongGoneAskedForIsBelieved) {
  settings_.settle_time = seconds(10);
  backend_ = std::make_unique<DockerBackend>(*loop_, *http_, settings_);
  resources_ = backend_->Plan(Admitted(), run_id_);
  backend_->ExpectLate(resources_.back(), seconds(11));
  EXPECT_TRUE(
      backend_->Remove(resources_.back(), run_id_, Deadline::After(seconds(10))).confirmed_absent);
}

TEST_F(DockerBackendTest, MountsOfOtherKindsAndUnknownProfilesAreUnsupported) {
  policy::EffectiveRun run;
  run.mounts = {{.target = "/a", .read_only = false, .source = policy::TmpfsMount{1}},
                {.target = "/b", .read_only = false, .source = policy::VolumeMount{"v"}}};
  run.seccomp_profile = "nosuch";
  run.runtime = "nosuch";
  const auto violations = backend_->Unsupported(run);
  ASSERT_THAT(violations, SizeIs(3));
  EXPECT_EQ(violations[0].rule, kRuleMountKind);
  EXPECT_EQ(violations[0].field, "mounts[1].volume");
  EXPECT_EQ(violations[1].rule, kRuleRuntime);
  EXPECT_EQ(violations[2].rule, kRuleSeccompProfile);
}

TEST_F(DockerBackendTest, PlanNamesTheNetworkBeforeTheContainer) {
  const auto plan = backend_->Plan(Admitted(), run_id_);
  ASSERT_THAT(plan, SizeIs(2));
  EXPECT_EQ(plan[0].kind, run::Resource::Kind::kNetwork);
  EXPECT_EQ(plan[1].kind, run::Resource::Kind::kContainer);
  EXPECT_EQ(plan[1].name, "tw-" + run_id_.value());
}

}  // namespace
}  // namespace tidewaiter::docker
