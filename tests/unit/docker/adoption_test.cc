// Taking over what a former broker left, from an engine that misbehaves.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <string>

#include "broker/docker/docker_backend.h"
#include "tests/support/admitted_run.h"
#include "tests/support/fake_http.h"
#include "tests/support/scratch_folder.h"
#include "tests/support/stand_in_engine.h"

namespace tidewaiter::docker {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::Answer;
using testing::FakeHttp;
using ::testing::HasSubstr;
using testing::kVersionAnswer;
using ::tidewaiter::testing::StandInEngine;
using Fault = StandInEngine::Fault;
using State = run::Adopted::State;

run::Patience Soon() {
  return {.stop = {}, .deadline = Deadline::After(seconds(20))};
}

class NoProgress final : public run::ImageProgressSink {
  void OnProgress(std::string_view, std::string_view, std::int64_t, std::int64_t) override {}
};

class AdoptionTest : public ::testing::Test {
 protected:
  AdoptionTest() : engine_(folder_ / "engine.sock"), loop_(*io::EventLoop::Start()) {
    http_ = *io::HttpClient::Create(*loop_);
    settings_.socket = folder_ / "engine.sock";
    settings_.broker_id = BrokerId(RandomId());
    settings_.call_timeout = settings_.create_timeout = settings_.start_timeout =
        settings_.check_timeout = milliseconds(400);
    Restart();
  }

  void Restart() { backend_ = std::make_unique<DockerBackend>(*loop_, *http_, settings_); }

  Result<std::unique_ptr<run::Container>> Create(std::vector<std::string> command) {
    policy::RunSpec spec;
    spec.image = std::string("registry.example/lab/job:1.0.0@") + StandInEngine::kDigest;
    spec.command = std::move(command);
    const policy::AdmittedRun admitted = ::tidewaiter::testing::Admit(
        ::tidewaiter::testing::PermissivePolicy("registry.example/lab/*"), spec);
    NoProgress progress;
    TW_ASSIGN(const run::ResolvedImage image, backend_->Resolve(admitted, progress, Soon()));
    resources_ = backend_->Plan(admitted, run_id_);
    return backend_->Create({.admitted = admitted,
                             .run_id = run_id_,
                             .principal = "tester",
                             .image = image,
                             .sources = sources_,
                             .keeps_log = true},
                            resources_, Soon());
  }
  // One that the next broker finds.
  void Leave(std::vector<std::string> command) {
    {
      const auto container = Create(std::move(command));
      ASSERT_TRUE(container.has_value()) << container.error().message;
      const auto started = (*container)->Start(Soon());
      ASSERT_TRUE(started.has_value()) << started.error().message;
    }
    Restart();
  }
  Result<run::Adopted> Adopt() {
    return backend_->Adopt({.container = resources_.back()}, run_id_, Soon());
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

TEST_F(AdoptionTest, EngineWithoutADriverForItMakesNoRunWhoseOutputIsKept) {
  engine_.SetTamper([](nlohmann::json& info) {
    if (info.contains("Plugins")) info["Plugins"]["Log"] = {"json-file"};
  });
  const auto container = Create({"exit", "0"});
  ASSERT_FALSE(container.has_value());
  EXPECT_EQ(container.error().Reason(), "UNSUPPORTED");
  EXPECT_THAT(container.error().message, HasSubstr("log driver 'local'"));
  EXPECT_EQ(engine_.ContainerCount(), 0U);
}

TEST_F(AdoptionTest, CommandThatCouldNotBeRunIsTheContainersEnd) {
  Leave({"missing", "prog"});
  const auto adopted = Adopt();
  ASSERT_TRUE(adopted.has_value()) << adopted.error().message;
  EXPECT_EQ(adopted->state, State::kEnded);
  const auto exit = adopted->container->exited().Peek();
  ASSERT_TRUE(exit.has_value());
  EXPECT_TRUE(exit->command_failed);
  EXPECT_EQ(exit->exit_code, 127);
  EXPECT_THAT(exit->message, HasSubstr("not found in $PATH"));
}

TEST_F(AdoptionTest, StartThatFailedOtherwiseIsTold) {
  ASSERT_TRUE(Create({"exit", "0"}).has_value());
  Restart();
  engine_.SetTamper([](nlohmann::json& inspect) {
    if (inspect.contains("State")) inspect["State"]["Error"] = "no space left on device";
  });
  const auto adopted = Adopt();
  ASSERT_TRUE(adopted.has_value()) << adopted.error().message;
  EXPECT_EQ(adopted->state, State::kCreated);
  EXPECT_EQ(adopted->start_error, "no space left on device");
}

TEST_F(AdoptionTest, OutputIsReadOnFromWhereItsCopyEnds) {
  Leave({"say", "one\ntwo\n"});
  const auto adopted = Adopt();
  ASSERT_TRUE(adopted.has_value()) << adopted.error().message;
  EXPECT_EQ(adopted->state, State::kRunning);
  std::string out;
  run::LogPosition position{.stdout_bytes = 4};
  const auto read = adopted->container->ReadLog(
      position,
      [&out](run::OutputStream, std::span<const std::byte> data) {
        for (const std::byte b : data) out += std::to_integer<char>(b);
        return true;
      },
      Soon());
  ASSERT_TRUE(read.has_value()) << read.error().message;
  EXPECT_EQ(out, "two\n");
}

// The event of its end comes while the answer that it runs is on its way.
TEST_F(AdoptionTest, ContainerThatEndsWhileItIsAskedAboutTellsItsExit) {
  const std::string id(64, 'c');
  const nlohmann::json labels{{"io.tidewaiter.broker", settings_.broker_id.value()},
                              {"io.tidewaiter.run", run_id_.value()}};
  Completion<bool> asked;
  Completion<bool> told;
  FakeHttp http(
      [&](const io::HttpRequest& request) {
        if (request.url.ends_with("/version")) return Answer(200, kVersionAnswer);
        const bool runs = !told.Peek();
        asked.Set(true);
        if (runs) static_cast<void>(told.Wait({}, Deadline::After(seconds(20))));
        const nlohmann::json state{{"Status", runs ? "running" : "exited"}, {"ExitCode", 6}};
        return Answer(
            200,
            nlohmann::json{{"Id", id}, {"Config", {{"Labels", labels}}}, {"State", state}}.dump());
      },
      [&](const io::HttpRequest&, const std::function<void()>& on_open,
          const std::function<bool(std::string_view)>& on_data, const std::stop_token& stop) {
        on_open();
        if (asked.Wait(stop, Deadline::Never())) {
          on_data(R"({"Type":"container","Action":"die","Actor":{"ID":")" + id +
                  R"(","Attributes":{"exitCode":"6"}}})"
                  "\n");
          told.Set(true);
        }
        static_cast<void>(Completion<bool>().Wait(stop, Deadline::Never()));
        return Answer(200);
      });
  DockerBackend backend(*loop_, http, settings_);
  const auto adopted = backend.Adopt({.container = {.name = "", .id = id}}, run_id_, Soon());
  ASSERT_TRUE(adopted.has_value()) << adopted.error().message;
  const auto exit = adopted->container->exited().Wait({}, Deadline::After(seconds(20)));
  ASSERT_TRUE(exit.has_value());
  EXPECT_EQ(exit->exit_code, 6);
}

TEST_F(AdoptionTest, ContainerThatIsFoundByTheBeginningOfItsIdIsNotIt) {
  Leave({"run", "until killed"});
  resources_.back().id = resources_.back().id.substr(0, 12);
  ASSERT_FALSE(Adopt().has_value());
}

TEST_F(AdoptionTest, AnswerAboutAnotherContainerIsNotBelieved) {
  Leave({"run", "until killed"});
  engine_.SetTamper([](nlohmann::json& inspect) {
    if (inspect.contains("State")) inspect["Id"] = std::string(64, 'a');
  });
  const auto adopted = Adopt();
  ASSERT_FALSE(adopted.has_value());
  EXPECT_EQ(adopted.error().Reason(), "FOREIGN_CONTAINER") << adopted.error().message;
}

TEST_F(AdoptionTest, EngineThatIsNotThereIsNoContainerThatIsGone) {
  Leave({"exit", "4"});
  settings_.socket = folder_ / "nobody";
  Restart();
  const auto adopted = Adopt();
  ASSERT_FALSE(adopted.has_value());
  EXPECT_EQ(adopted.error().code, ErrorCode::kUnavailable);
  EXPECT_EQ(adopted.error().Reason(), "ENGINE_UNAVAILABLE");
}

TEST_F(AdoptionTest, EveryFaultIsAnErrorAndAdoptionSucceedsAfterIt) {
  Leave({"exit", "4"});
  for (const Fault fault : {Fault::kResetBefore, Fault::kResetAfter, Fault::kError500,
                            Fault::kConflict409, Fault::kHang, Fault::kGarbage}) {
    engine_.SetFaults([fault](std::size_t, const std::string& call) {
      return call.ends_with("/json") ? fault : Fault::kNone;
    });
    const auto failed = Adopt();
    ASSERT_FALSE(failed.has_value());
    EXPECT_NE(failed.error().code, ErrorCode::kNotFound);
    engine_.SetFaults({});
    const auto adopted = Adopt();
    ASSERT_TRUE(adopted.has_value()) << adopted.error().message;
    ASSERT_TRUE(adopted->container->exited().Peek().has_value());
    EXPECT_EQ(adopted->container->exited().Peek()->exit_code, 4);
  }
}

TEST_F(AdoptionTest, NothingOnTheEngineIsChanged) {
  Leave({"exit", "4"});
  const std::size_t before = engine_.Calls().size();
  ASSERT_TRUE(Adopt().has_value());
  RunId other{RandomId()};
  ASSERT_FALSE(backend_->Adopt({.container = resources_.back()}, other, Soon()).has_value());
  const auto calls = engine_.Calls();
  EXPECT_TRUE(std::all_of(calls.begin() + static_cast<std::ptrdiff_t>(before), calls.end(),
                          [](const std::string& call) { return call.starts_with("GET "); }));
}

}  // namespace
}  // namespace tidewaiter::docker
