// A broker on a real engine that can die and be followed by another, and the containers that it
// makes, whose output is kept.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "base/strong_id.h"
#include "broker/docker/docker_backend.h"
#include "tests/support/admitted_run.h"
#include "tests/support/lab.h"

namespace tidewaiter::docker {
inline run::Patience Soon() {
  return {.stop = {}, .deadline = Deadline::After(std::chrono::seconds(60))};
}

// What came of each stream, and of both in order.
class Output final : public run::OutputSink {
 public:
  bool Write(run::OutputStream stream, std::span<const std::byte> data) override {
    const std::lock_guard lock(mutex_);
    std::string& text = stream == run::OutputStream::kStdout ? out_ : err_;
    for (const std::byte b : data) {
      text += std::to_integer<char>(b);
      both_ += std::to_integer<char>(b);
    }
    return true;
  }
  void SetResume(std::function<void()> /*resume*/) override {}
  run::LogTaker Taker() {
    return [this](run::OutputStream stream, std::span<const std::byte> data) {
      return Write(stream, data);
    };
  }
  std::string out() { return Of(out_); }
  std::string err() { return Of(err_); }
  std::string both() { return Of(both_); }

 private:
  std::string Of(const std::string& text) {
    const std::lock_guard lock(mutex_);
    return text;
  }
  std::mutex mutex_;
  std::string out_;
  std::string err_;
  std::string both_;
};

class NoProgress final : public run::ImageProgressSink {
  void OnProgress(std::string_view, std::string_view, std::int64_t, std::int64_t) override {}
};

// One life of a broker.
struct Broker {
  Broker(const ::tidewaiter::testing::Lab& lab, const BrokerId& id)
      : loop(*io::EventLoop::Start()), http(*io::HttpClient::Create(*loop)) {
    DockerSettings settings;
    settings.socket = lab.docker_socket;
    settings.broker_id = id;
    settings.registry.plain_http = {lab.registry};
    backend = std::make_unique<DockerBackend>(*loop, *http, settings);
  }
  std::unique_ptr<io::EventLoop> loop;
  std::unique_ptr<io::HttpClient> http;
  std::unique_ptr<DockerBackend> backend;
};

struct Left {
  RunId run_id{RandomId()};
  std::vector<run::Resource> resources;
  [[nodiscard]] const run::Resource& container() const { return resources.back(); }
};

class OnEngine : public ::testing::Test {
 protected:
  void SetUp() override {
    TW_REQUIRE_LAB(lab);
    lab_ = lab;
    Restart();
  }
  void TearDown() override {
    if (!broker_) return;
    const auto owned =
        backend().ListOwned({.stop = {}, .deadline = Deadline::After(std::chrono::seconds(30))});
    ASSERT_TRUE(owned.has_value()) << owned.error().message;
    for (const auto& [resource, run_id] : *owned) {
      EXPECT_TRUE(backend()
                      .Remove(resource, run_id, Deadline::After(std::chrono::seconds(60)))
                      .confirmed_absent);
    }
  }

  void Restart() {
    broker_.reset();
    broker_ = std::make_unique<Broker>(lab_, broker_id_);
  }
  DockerBackend& backend() { return *broker_->backend; }

  policy::RunSpec Spec(const std::string& script) const {
    policy::RunSpec spec;
    spec.image = lab_.image;
    spec.command = {"sh", "-c", script};
    return spec;
  }

  Result<std::unique_ptr<run::Container>> Create(const policy::RunSpec& spec, Left& left) {
    const policy::AdmittedRun admitted = ::tidewaiter::testing::Admit(
        ::tidewaiter::testing::PermissivePolicy(lab_.registry + "/lab/*", true), spec);
    NoProgress progress;
    TW_ASSIGN(const run::ResolvedImage image, backend().Resolve(admitted, progress, Soon()));
    left.resources = backend().Plan(admitted, left.run_id);
    return backend().Create({.admitted = admitted,
                             .run_id = left.run_id,
                             .principal = "tester",
                             .image = image,
                             .sources = sources_,
                             .keeps_log = true},
                            left.resources, Soon());
  }
  // Attached until the broker dies.
  Left StartAndDie(const policy::RunSpec& spec) {
    Left left;
    auto container = Create(spec, left);
    EXPECT_TRUE(container.has_value()) << container.error().message;
    Output output;
    auto attachment = (*container)->Attach(output, false, Soon());
    EXPECT_TRUE(attachment.has_value()) << attachment.error().message;
    const auto started = (*container)->Start(Soon());
    EXPECT_TRUE(started.has_value()) << started.error().message;
    attachment->reset();
    container->reset();
    Restart();
    return left;
  }
  // To its end, with all of its output as it came live.
  std::unique_ptr<run::Container> Run(const policy::RunSpec& spec, Left& left, Output& output) {
    auto container = Create(spec, left);
    EXPECT_TRUE(container.has_value()) << container.error().message;
    auto attachment = (*container)->Attach(output, false, Soon());
    EXPECT_TRUE(attachment.has_value()) << attachment.error().message;
    const auto started = (*container)->Start(Soon());
    EXPECT_TRUE(started.has_value()) << started.error().message;
    EXPECT_TRUE(
        (*container)->exited().Wait({}, Deadline::After(std::chrono::seconds(60))).has_value());
    EXPECT_TRUE(
        (*attachment)->ended().Wait({}, Deadline::After(std::chrono::seconds(60))).has_value());
    return *std::move(container);
  }
  // Until the engine says that it has ended.
  void AwaitEnd(const Left& left) {
    io::HttpRequest request;
    request.method = "POST";
    request.url = "http://docker/containers/" + left.container().id + "/wait";
    request.unix_socket = lab_.docker_socket;
    ASSERT_TRUE(
        broker_->http->Fetch(request, {}, Deadline::After(std::chrono::seconds(60))).has_value());
  }
  Result<run::Adopted> Adopt(const Left& left) {
    return backend().Adopt({.container = left.container()}, left.run_id, Soon());
  }

  ::tidewaiter::testing::Lab lab_;
  BrokerId broker_id_{RandomId()};
  run::MountSources sources_{.inputs = "/nowhere", .outputs = "/nowhere"};
  std::unique_ptr<Broker> broker_;
};

}  // namespace tidewaiter::docker
