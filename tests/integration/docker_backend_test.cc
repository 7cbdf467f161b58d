// DockerBackend on a real engine: what only an engine can answer.
#include "broker/docker/docker_backend.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <netinet/in.h>
#include <sys/socket.h>

#include <csignal>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <string>

#include "base/strong_id.h"
#include "base/unique_fd.h"
#include "broker/docker/unsupported.h"
#include "tests/support/admitted_run.h"
#include "tests/support/lab.h"

namespace tidewaiter::docker {
namespace {

using std::chrono::seconds;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

run::Patience Soon(int limit = 60) {
  return {.stop = {}, .deadline = Deadline::After(seconds(limit))};
}

// Collects both streams; full after `capacity` bytes until Drain().
class Collector final : public run::OutputSink {
 public:
  explicit Collector(std::size_t capacity = std::size_t{1} << 30U) : capacity_(capacity) {}
  bool Write(run::OutputStream stream, std::span<const std::byte> data) override {
    const std::lock_guard lock(mutex_);
    std::string& text = stream == run::OutputStream::kStdout ? out_ : err_;
    for (const std::byte b : data) text += std::to_integer<char>(b);
    return out_.size() + err_.size() < capacity_;
  }
  void SetResume(std::function<void()> resume) override {
    const std::lock_guard lock(mutex_);
    resume_ = std::move(resume);
  }
  void Drain() {
    const std::lock_guard lock(mutex_);
    capacity_ = std::size_t{1} << 30U;
    if (resume_) resume_();
  }
  std::string out() {
    const std::lock_guard lock(mutex_);
    return out_;
  }
  std::string err() {
    const std::lock_guard lock(mutex_);
    return err_;
  }

 private:
  std::mutex mutex_;
  std::size_t capacity_;
  std::string out_;
  std::string err_;
  std::function<void()> resume_;
};

class NoProgress final : public run::ImageProgressSink {
  void OnProgress(std::string_view, std::string_view, std::int64_t, std::int64_t) override {}
};

class DockerBackendTest : public ::testing::Test {
 protected:
  void SetUp() override {
    TW_REQUIRE_LAB(lab);
    lab_ = lab;
    auto loop = io::EventLoop::Start();
    ASSERT_TRUE(loop.has_value());
    loop_ = *std::move(loop);
    auto http = io::HttpClient::Create(*loop_);
    ASSERT_TRUE(http.has_value());
    http_ = *std::move(http);
    DockerSettings settings;
    settings.socket = lab.docker_socket;
    settings.broker_id = BrokerId(RandomId());
    settings.registry.plain_http = {lab.registry};
    settings.seccomp_profiles["strict"] = R"({"defaultAction":"SCMP_ACT_ALLOW","syscalls":[]})";
    backend_ = std::make_unique<DockerBackend>(*loop_, *http_, settings);
  }

  // Whatever a test leaves is removed, and that is checked.
  void TearDown() override {
    if (!backend_) return;
    container_.reset();
    for (auto it = resources_.rbegin(); it != resources_.rend(); ++it) {
      const run::Removal removal = backend_->Remove(*it, run_id_, Deadline::After(seconds(30)));
      EXPECT_TRUE(removal.confirmed_absent) << removal.error;
    }
    const auto owned = backend_->ListOwned({.stop = {}, .deadline = Deadline::After(seconds(30))});
    ASSERT_TRUE(owned.has_value()) << owned.error().message;
    EXPECT_THAT(*owned, IsEmpty());
  }

  policy::RunSpec Spec(std::vector<std::string> command) const {
    policy::RunSpec spec;
    spec.image = lab_.image;
    spec.command = std::move(command);
    return spec;
  }

  // Resolves and creates; the container is container_.
  Result<void> TryCreate(const policy::RunSpec& spec, bool with_stdin = false) {
    const policy::AdmittedRun admitted = ::tidewaiter::testing::Admit(
        ::tidewaiter::testing::PermissivePolicy(lab_.registry + "/lab/*", true), spec);
    NoProgress progress;
    TW_ASSIGN(const run::ResolvedImage image, backend_->Resolve(admitted, progress, Soon()));
    resources_ = backend_->Plan(admitted, run_id_);
    TW_ASSIGN(container_, backend_->Create({.admitted = admitted,
                                            .run_id = run_id_,
                                            .principal = "tester",
                                            .image = image,
                                            .sources = sources_,
                                            .with_stdin = with_stdin},
                                           resources_, Soon()));
    return Ok();
  }

  // Create, attach, start and wait for the exit and the end of the output.
  void RunToEnd(const policy::RunSpec& spec) {
    const Result<void> created = TryCreate(spec);
    ASSERT_TRUE(created.has_value()) << created.error().message;
    auto attachment = container_->Attach(output_, false, Soon());
    ASSERT_TRUE(attachment.has_value()) << attachment.error().message;
    const Result<void> started = container_->Start(Soon());
    ASSERT_TRUE(started.has_value()) << started.error().message;
    const auto exit = container_->exited().Wait({}, Deadline::After(seconds(60)));
    ASSERT_TRUE(exit.has_value());
    exit_ = *exit;
    const auto ended = (*attachment)->ended().Wait({}, Deadline::After(seconds(30)));
    ASSERT_TRUE(ended.has_value());
    EXPECT_EQ(*ended, std::nullopt) << (*ended)->message;
  }

  ::tidewaiter::testing::Lab lab_;
  RunId run_id_{RandomId()};
  run::MountSources sources_{.inputs = "/nowhere", .outputs = "/nowhere"};
  std::unique_ptr<io::EventLoop> loop_;
  std::unique_ptr<io::HttpClient> http_;
  std::unique_ptr<DockerBackend> backend_;
  std::vector<run::Resource> resources_;
  std::unique_ptr<run::Container> container_;
  Collector output_;
  run::ContainerExit exit_;
};

TEST_F(DockerBackendTest, OutputAndExitCodeAreTheContainersOwn) {
  RunToEnd(Spec({"sh", "-c", "echo out; echo err >&2; exit 7"}));
  EXPECT_EQ(output_.out(), "out\n");
  EXPECT_EQ(output_.err(), "err\n");
  EXPECT_EQ(exit_.exit_code, 7);
  EXPECT_FALSE(exit_.lost.has_value());
}

TEST_F(DockerBackendTest, DescribeNamesEngineAndApi) {
  const auto text = backend_->Describe(Deadline::After(seconds(10)));
  ASSERT_TRUE(text.has_value()) << text.error().message;
  EXPECT_THAT(*text, HasSubstr("API 1."));
}

TEST_F(DockerBackendTest, StdinReachesTheContainerAndEnds) {
  const Result<void> created = TryCreate(Spec({"sh", "-c", "wc -c; echo done"}), true);
  ASSERT_TRUE(created.has_value()) << created.error().message;
  auto attachment = container_->Attach(output_, true, Soon());
  ASSERT_TRUE(attachment.has_value()) << attachment.error().message;
  ASSERT_TRUE(container_->Start(Soon()).has_value());
  const std::string text(40000, 'x');
  EXPECT_EQ((*attachment)->WriteStdin(std::as_bytes(std::span(text))), text.size());
  (*attachment)->CloseStdin();
  const auto exit = container_->exited().Wait({}, Deadline::After(seconds(30)));
  ASSERT_TRUE(exit.has_value());
  ASSERT_TRUE((*attachment)->ended().Wait({}, Deadline::After(seconds(30))).has_value());
  EXPECT_EQ(output_.out(), "40000\ndone\n");
}

TEST_F(DockerBackendTest, RunsAsNobodyWithoutCapabilitiesOrNewPrivileges) {
  RunToEnd(
      Spec({"sh", "-c", "id -u; grep -E 'Cap(Bnd|Eff)|NoNewPrivs|Seccomp:' /proc/self/status"}));
  EXPECT_THAT(output_.out(), HasSubstr("65534\n"));
  EXPECT_THAT(output_.out(), HasSubstr("CapEff:\t0000000000000000"));
  EXPECT_THAT(output_.out(), HasSubstr("CapBnd:\t0000000000000000"));
  EXPECT_THAT(output_.out(), HasSubstr("NoNewPrivs:\t1"));
  EXPECT_THAT(output_.out(), HasSubstr("Seccomp:\t2"));
}

TEST_F(DockerBackendTest, RootFileSystemIsReadOnlyAndTmpIsASizedTmpfs) {
  RunToEnd(
      Spec({"sh", "-c", "touch /x 2>&1; grep ' /tmp ' /proc/mounts; touch /tmp/y && echo wrote"}));
  EXPECT_THAT(output_.out(), HasSubstr("Read-only file system"));
  EXPECT_THAT(output_.out(), HasSubstr("rw,nosuid,nodev,noexec"));
  EXPECT_THAT(output_.out(), HasSubstr("size=65536k"));
  EXPECT_THAT(output_.out(), HasSubstr("wrote"));
}

TEST_F(DockerBackendTest, BindMountIsReadOnlyWhereAsked) {
  policy::RunSpec spec = Spec({"sh", "-c", "touch /data/x || echo refused; ls /data | wc -l"});
  spec.mounts.push_back(
      {.target = "/data", .read_only = true, .source = policy::BindMount{.source = "/usr/share"}});
  RunToEnd(spec);
  EXPECT_THAT(output_.out(), HasSubstr("refused"));
}

TEST_F(DockerBackendTest, NetworkNoneHasOnlyLoopback) {
  RunToEnd(Spec({"sh", "-c", "ls /sys/class/net"}));
  EXPECT_EQ(output_.out(), "lo\n");
}

TEST_F(DockerBackendTest, IsolatedNetworkIsTheRunsOwnAndReachesNotEvenTheHost) {
  const UniqueFd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in any{};
  any.sin_family = AF_INET;
  socklen_t length = sizeof any;
  // sockaddr_in is read through sockaddr by the sockets API's own design.
  auto* address = reinterpret_cast<sockaddr*>(&any);
  ASSERT_EQ(::bind(listener.get(), address, length), 0);
  ASSERT_EQ(::listen(listener.get(), 1), 0);
  ASSERT_EQ(::getsockname(listener.get(), address, &length), 0);

  policy::RunSpec spec = Spec({"sh", "-c",
                               "ls /sys/class/net; gateway=$(ip route | sed -n 's/default via "
                               "\\([0-9.]*\\).*/\\1/p'); nc -w 2 $gateway " +
                                   std::to_string(ntohs(any.sin_port)) +
                                   " </dev/null && echo reached || echo cut off"});
  spec.network = policy::NetworkMode::kIsolated;
  RunToEnd(spec);
  EXPECT_THAT(resources_, SizeIs(2));
  EXPECT_THAT(output_.out(), HasSubstr("eth0"));
  EXPECT_THAT(output_.out(), HasSubstr("cut off"));
}

TEST_F(DockerBackendTest, EveryGrantOfTheSchemaPassesTheComparison) {
  policy::RunSpec spec = Spec({"sh", "-c", "echo $A; pwd; hostname"});
  spec.env["A"] = "b=c";
  spec.working_dir = "/tmp";
  spec.user = "0:0";
  spec.labels["team"] = "x";
  spec.network = policy::NetworkMode::kBridge;
  spec.add_capabilities = {"CAP_CHOWN", "NET_BIND_SERVICE"};
  spec.read_only_rootfs = false;
  spec.seccomp_profile = "strict";
  spec.tenant = {.challenge = "c", .job = "j", .task = "t"};
  spec.mounts.push_back({.target = "/scratch",
                         .read_only = false,
                         .source = policy::TmpfsMount{.size_bytes = 1 << 20}});
  RunToEnd(spec);
  EXPECT_EQ(output_.out(), "b=c\n/tmp\ntw-" + run_id_.value() + "\n");
}

TEST_F(DockerBackendTest, OutOfMemoryIsToldApartFromAnOrdinaryKill) {
  policy::RunSpec spec = Spec({"sh", "-c", "a=xxxxxxxx; while true; do a=$a$a; done"});
  spec.limits.memory_bytes = 32 << 20;
  RunToEnd(spec);
  EXPECT_EQ(exit_.exit_code, 137);
  EXPECT_TRUE(exit_.oom_killed);
}

TEST_F(DockerBackendTest, KillEndsAContainerAndKillingItAgainSaysThatItHasEnded) {
  ASSERT_TRUE(TryCreate(Spec({"sh", "-c", "sleep 100"})).has_value());
  ASSERT_TRUE(container_->Start(Soon()).has_value());
  const Result<bool> killed = container_->Signal(SIGKILL, Soon());
  ASSERT_TRUE(killed.has_value()) << killed.error().message;
  EXPECT_TRUE(*killed);
  const auto exit = container_->exited().Wait({}, Deadline::After(seconds(30)));
  ASSERT_TRUE(exit.has_value());
  EXPECT_EQ(exit->exit_code, 137);
  EXPECT_FALSE(exit->oom_killed);
  const Result<bool> again = container_->Signal(SIGKILL, Soon());
  ASSERT_TRUE(again.has_value()) << again.error().message;
  EXPECT_FALSE(*again);
}

TEST_F(DockerBackendTest, MissingCommandExitsWith127) {
  RunToEnd(Spec({"/no/such/program"}));
  EXPECT_EQ(exit_.exit_code, 127);
}

TEST_F(DockerBackendTest, CommandThatCannotBeExecutedExitsWith126) {
  RunToEnd(Spec({"/etc"}));
  EXPECT_EQ(exit_.exit_code, 126);
}

// The engine lets a container's labels overwrite the attributes of its events.
TEST_F(DockerBackendTest, LabelNamedExitCodeDoesNotForgeTheExitCode) {
  policy::RunSpec spec = Spec({"sh", "-c", "exit 9"});
  spec.labels["exitCode"] = "0";
  RunToEnd(spec);
  EXPECT_EQ(exit_.exit_code, 9);
}

TEST_F(DockerBackendTest, FullSinkStopsTheContainerUntilItIsDrained) {
  Collector small(4096);
  ASSERT_TRUE(TryCreate(Spec({"sh", "-c", "head -c 8000000 /dev/zero; echo end >&2"})).has_value());
  auto attachment = container_->Attach(small, false, Soon());
  ASSERT_TRUE(attachment.has_value());
  ASSERT_TRUE(container_->Start(Soon()).has_value());
  EXPECT_FALSE(container_->exited().Wait({}, Deadline::After(std::chrono::milliseconds(700))));
  EXPECT_LT(small.out().size(), 2'000'000U);
  small.Drain();
  ASSERT_TRUE((*attachment)->ended().Wait({}, Deadline::After(seconds(30))).has_value());
  EXPECT_EQ(small.out().size(), 8'000'000U);
  EXPECT_EQ(small.err(), "end\n");
}

TEST_F(DockerBackendTest, ContainerRemovedBehindTheBrokersBackIsLost) {
  ASSERT_TRUE(TryCreate(Spec({"sh", "-c", "sleep 100"})).has_value());
  ASSERT_TRUE(
      backend_->Remove(resources_.back(), run_id_, Deadline::After(seconds(30))).confirmed_absent);
  const auto exit = container_->exited().Wait({}, Deadline::After(seconds(30)));
  ASSERT_TRUE(exit.has_value());
  EXPECT_TRUE(exit->lost.has_value());
}

TEST_F(DockerBackendTest, RemoveByNameFindsTheRunsOwnContainer) {
  ASSERT_TRUE(TryCreate(Spec({"sh"})).has_value());
  run::Resource by_name = resources_.back();
  by_name.id.clear();
  const run::Removal removal = backend_->Remove(by_name, run_id_, Deadline::After(seconds(30)));
  EXPECT_TRUE(removal.confirmed_absent) << removal.error;
  EXPECT_EQ(removal.id, resources_.back().id);
}

// Each control character is six bytes in the engine's answer, and the command is in it twice.
TEST_F(DockerBackendTest, RunWithTheLongestTextsIsCreatedAndRemovedByName) {
  policy::RunSpec spec = Spec({"echo", std::string(131'000, '\x01'), std::string(131'000, '\x02')});
  spec.env = {{"A", std::string(131'000, '\x03')}, {"B", std::string(131'000, '\x04')}};
  const Result<void> created = TryCreate(spec);
  ASSERT_TRUE(created.has_value()) << created.error().message;
  run::Resource by_name = resources_.back();
  by_name.id.clear();
  const run::Removal removal = backend_->Remove(by_name, run_id_, Deadline::After(seconds(30)));
  EXPECT_TRUE(removal.confirmed_absent) << removal.error;
  EXPECT_EQ(removal.id, resources_.back().id);
}

TEST_F(DockerBackendTest, RemoveByNameLeavesAnotherRunsContainerAlone) {
  ASSERT_TRUE(TryCreate(Spec({"sh"})).has_value());
  run::Resource by_name = resources_.back();
  by_name.id.clear();
  EXPECT_TRUE(
      backend_->Remove(by_name, RunId(RandomId()), Deadline::After(seconds(30))).confirmed_absent);
  const auto owned = backend_->ListOwned({.stop = {}, .deadline = Deadline::After(seconds(30))});
  ASSERT_TRUE(owned.has_value());
  ASSERT_THAT(*owned, SizeIs(1));
  EXPECT_EQ(owned->front().run_id, run_id_);
  EXPECT_EQ(owned->front().resource, resources_.back());
}

TEST_F(DockerBackendTest, TagThatNamesAnotherDigestIsRefused) {
  policy::RunSpec spec = Spec({"sh"});
  const std::size_t hex = spec.image.find("sha256:") + 7;
  spec.image.replace(hex, 4, spec.image.substr(hex, 4) == "0000" ? "1111" : "0000");
  const Result<void> created = TryCreate(spec);
  ASSERT_FALSE(created.has_value());
  EXPECT_EQ(created.error().Reason(), "TAG_MISMATCH") << created.error().message;
}

TEST_F(DockerBackendTest, TagThatDoesNotExistIsRefused) {
  policy::RunSpec spec = Spec({"sh"});
  spec.image.replace(spec.image.find(":1.0.0@"), 7, ":9.9.9@");
  const Result<void> created = TryCreate(spec);
  ASSERT_FALSE(created.has_value());
  EXPECT_EQ(created.error().Reason(), "TAG_MISMATCH") << created.error().message;
}

TEST_F(DockerBackendTest, RuntimeThatTheEngineLacksIsUnsupported) {
  policy::RunSpec spec = Spec({"sh"});
  spec.runtime = "nosuch";
  const auto admitted = ::tidewaiter::testing::Admit(
      ::tidewaiter::testing::PermissivePolicy(lab_.registry + "/lab/*"), spec);
  const auto violations = backend_->Unsupported(admitted.effective());
  ASSERT_THAT(violations, SizeIs(1));
  EXPECT_EQ(violations.front().rule, kRuleRuntime);
}

TEST_F(DockerBackendTest, BindOfTheEnginesOwnDataIsUnsupported) {
  io::HttpRequest request;
  request.url = "http://docker/info";
  request.unix_socket = lab_.docker_socket;
  const auto info = http_->Fetch(request, {}, Deadline::After(seconds(30)));
  ASSERT_TRUE(info.has_value()) << info.error().message;
  const std::string root = nlohmann::json::parse(info->body).value("DockerRootDir", "");
  for (const std::string& source : {root, root + "/containers", root.substr(0, root.rfind('/'))}) {
    policy::EffectiveRun run;
    run.mounts = {{.target = "/a", .read_only = true, .source = policy::BindMount{source}}};
    const auto violations = backend_->Unsupported(run);
    ASSERT_THAT(violations, SizeIs(1)) << source;
    EXPECT_EQ(violations.front().rule, kRuleEngineData);
  }
}

}  // namespace
}  // namespace tidewaiter::docker
