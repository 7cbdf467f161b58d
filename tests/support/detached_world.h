// A broker on the lab's engine and a client of its detached runs. When the test ends, nothing of
// them may be left on the engine or among the unfinished runs.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/broker_process.h"
#include "tests/support/gate_client.h"
#include "tests/support/lab.h"
#include "tests/support/program.h"

namespace tidewaiter::testing {

class DetachedWorld : public ::testing::Test {
 protected:
  static constexpr std::chrono::seconds kWithin{60};

  void SetUp() override {
    TW_REQUIRE_LAB(lab);
    lab_ = lab;
    std::signal(SIGPIPE, SIG_IGN);
    Begin("");
  }
  void Begin(const std::string& settings) {
    client_.reset();
    broker_.reset();
    broker_ = std::make_unique<BrokerProcess>(BrokerProcess::Options{
        .docker_socket = lab_.docker_socket,
        .settings = "stop_grace = \"1s\"\ndrain_timeout = \"1s\"\n" + settings});
    client_ = std::make_unique<GateClient>(broker_->socket_path());
  }
  void TearDown() override {
    if (!broker_) return;
    EXPECT_TRUE(Eventually(std::chrono::seconds(20), [&] {
      return LabelledLeftovers(lab_.docker_socket, broker_->broker_id()).empty() &&
             std::filesystem::is_empty(broker_->runs_folder());
    }));
  }

  // SIGKILL, and a broker over the same folders.
  void KillAndRestart() {
    broker_->Kill();
    broker_->Restart();
    Reconnect();
  }
  void Reconnect() { client_ = std::make_unique<GateClient>(broker_->socket_path()); }
  // Waits until its log has that.
  void AwaitOutput(const std::string& run_id, const std::string& text) {
    ASSERT_TRUE(Eventually(
        kWithin, [&] { return Attach(run_id, true).Stdout().find(text) != std::string::npos; }));
  }

  [[nodiscard]] v1::RunSpec Shell(const std::string& script) const {
    v1::RunSpec spec;
    spec.set_image(lab_.image);
    for (const char* word : {"sh", "-c"}) spec.add_command(word);
    spec.add_command(script);
    return spec;
  }
  v1::StartResponse Start(const v1::RunSpec& spec) {
    grpc::ClientContext context;
    v1::StartRequest request;
    *request.mutable_spec() = spec;
    v1::StartResponse response;
    const grpc::Status status = client_->broker().Start(&context, request, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return response;
  }
  // Its status where it is no result.
  grpc::Status Wait(const std::string& run_id, v1::WaitResponse& response) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + kWithin);
    v1::WaitRequest request;
    request.set_run_id(run_id);
    return client_->broker().Wait(&context, request, &response);
  }
  v1::WaitResponse Wait(const std::string& run_id) {
    v1::WaitResponse response;
    const grpc::Status status = Wait(run_id, response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return response;
  }
  Transcript Attach(const std::string& run_id, bool snapshot = false) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + kWithin);
    v1::AttachRequest request;
    request.set_run_id(run_id);
    request.set_snapshot(snapshot);
    const auto stream = client_->broker().Attach(&context, request);
    Transcript transcript;
    v1::RunEvent event;
    while (stream->Read(&event)) transcript.events.push_back(event);
    transcript.status = stream->Finish();
    return transcript;
  }
  std::string Reason(const std::string& run_id, const std::string& output) {
    grpc::ClientContext context;
    v1::FetchRequest request;
    request.set_run_id(run_id);
    request.set_output(output);
    const auto stream = client_->broker().Fetch(&context, request);
    v1::FetchResponse response;
    while (stream->Read(&response)) {
    }
    return ErrorInfoOf(stream->Finish()).reason();
  }
  Program::Ended Ask(std::vector<std::string> words) const {
    return Program("tidewaiter", std::move(words), {{"TIDEWAITER_SOCKET", broker_->socket_path()}})
        .Wait();
  }
  static std::string Read(const std::filesystem::path& path) {
    std::ostringstream text;
    text << std::ifstream(path).rdbuf();
    return text.str();
  }

  Lab lab_;
  std::unique_ptr<BrokerProcess> broker_;
  std::unique_ptr<GateClient> client_;
};

}  // namespace tidewaiter::testing
