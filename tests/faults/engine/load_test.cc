// Many clients at a time, attached and detached, while the broker is killed every two seconds and
// started again behind a socket that stays. TIDEWAITER_LOAD_RUNS: how many runs, instead of a few;
// the broker is killed once for every fourth at most, so that they end on a slow machine, too.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <atomic>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>
#include <thread>
#include <vector>

#include "base/guarded.h"
#include "tests/support/broker_process.h"
#include "tests/support/gate_client.h"
#include "tests/support/http_exchange.h"
#include "tests/support/lab.h"

namespace tidewaiter::testing {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using ::testing::Each;
using ::testing::IsEmpty;
using ::testing::Pair;

constexpr int kClients = 20;
constexpr int kUsualRuns = 40;
constexpr int kRunsPerKill = 4;
constexpr std::chrono::seconds kBetweenKills(2);
// For one run with all its retries, and for the broker to be done with everything.
constexpr std::chrono::minutes kPatience(5);

// How often the engine has started a container of each job, by its own word.
class Starts {
 public:
  Starts(const std::string& docker_socket, const std::string& broker_id)
      : connection_(ConnectTo(docker_socket)) {
    SendAll(connection_.get(),
            "GET /v1.41/events?filters=%7B%22event%22%3A%5B%22start%22%5D%2C%22label%22%3A%5B%22"
            "io.tidewaiter.broker%3D" +
                broker_id + "%22%5D%7D HTTP/1.0\r\nHost: docker\r\n\r\n");
    std::string head;
    while (head.find("\r\n\r\n") == std::string::npos && ReceiveMore(connection_.get(), head)) {
    }
    reader_ = std::thread([this, rest = head.substr(head.find("\r\n\r\n") + 4)] { Read(rest); });
  }
  ~Starts() { End(); }
  Starts(const Starts&) = delete;
  Starts& operator=(const Starts&) = delete;

  const std::map<std::string, int>& End() {
    if (reader_.joinable()) {
      ::shutdown(connection_.get(), SHUT_RDWR);
      reader_.join();
    }
    return of_job_;
  }

 private:
  void Read(std::string buffer) {
    do {
      for (std::size_t end = 0; (end = buffer.find('\n')) != std::string::npos;) {
        const json event = json::parse(buffer.substr(0, end), nullptr, false);
        buffer.erase(0, end + 1);
        if (event.is_discarded()) continue;
        ++of_job_[event["Actor"]["Attributes"].value("io.tidewaiter.tenant.job", "")];
      }
    } while (ReceiveMore(connection_.get(), buffer));
  }

  UniqueFd connection_;
  std::map<std::string, int> of_job_;  // the reader's until it has ended
  std::thread reader_;
};

// What the audit log says.
struct Records {
  std::map<std::string, int> admitted;  // by run
  std::map<std::string, int> finished;  // by run

  explicit Records(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    for (std::string line; std::getline(file, line);) {
      const json record = json::parse(line, nullptr, false);
      if (record.is_discarded()) continue;
      const std::string type = record.value("type", "");
      const std::string run_id = record.value("run_id", "");
      if (type == "run.finished") ++finished[run_id];
      if (type == "run.admitted") ++admitted[run_id];
    }
  }
};

class Load : public ::testing::Test {
 protected:
  struct Tally {
    std::atomic<int> attached{0};
    std::atomic<int> detached{0};
    std::atomic<int> lost{0};
    std::atomic<int> retries{0};
    std::atomic<int> kills{0};
  };

  void SetUp() override {
    TW_REQUIRE_LAB(lab);
    lab_ = lab;
    broker_ = std::make_unique<BrokerProcess>(BrokerProcess::Options{
        .docker_socket = lab_.docker_socket,
        .settings = "stop_grace = \"1s\"\nreap_interval = \"1s\"\nreap_retry_min = \"100ms\"\n"
                    "reap_retry_max = \"1s\"\n",
        .activated = true});
    // The first call is answered once it serves; by then it has an id.
    grpc::ClientContext context;
    v1::ListResponse response;
    ASSERT_TRUE(GateClient(broker_->socket_path()).broker().List(&context, {}, &response).ok());
  }

  [[nodiscard]] v1::RunSpec Job(int number) const {
    v1::RunSpec spec;
    spec.set_image(lab_.image);
    for (const char* word : {"sh", "-c"}) spec.add_command(word);
    spec.add_command("exit " + std::to_string(number % 100));
    spec.mutable_tenant()->set_job("job-" + std::to_string(number));
    return spec;
  }

  // An answer that says: ask again.
  static bool IsRetryable(const grpc::Status& status) {
    return status.error_code() == grpc::StatusCode::UNAVAILABLE ||
           status.error_code() == grpc::StatusCode::RESOURCE_EXHAUSTED;
  }
  // What `ask` says in the end; each time on a connection of its own.
  template <typename Ask>
  grpc::Status Insist(Ask ask) {
    const auto end = std::chrono::steady_clock::now() + kPatience;
    while (true) {
      GateClient client(broker_->socket_path());
      const grpc::Status status = ask(client);
      if (!IsRetryable(status) || std::chrono::steady_clock::now() > end) return status;
      ++tally_.retries;
    }
  }
  static void Bound(grpc::ClientContext& context) {
    context.set_deadline(std::chrono::system_clock::now() + kPatience);
  }

  void RunAttached(int number) {
    v1::RunResult result;
    const grpc::Status status = Insist([&](GateClient& client) {
      const Transcript transcript = client.Run(Job(number), {}, false, kPatience);
      result = transcript.Result();
      return transcript.status;
    });
    Expect(number, status, result);
    ++tally_.attached;
  }

  void RunDetached(int number) {
    v1::StartRequest request;
    *request.mutable_spec() = Job(number);
    request.mutable_spec()->set_idempotency_key("key " + std::to_string(number));
    v1::WaitResponse ended;
    const grpc::Status status = Insist([&](GateClient& client) {
      grpc::ClientContext starting;
      Bound(starting);
      v1::StartResponse begun;
      grpc::Status answer = client.broker().Start(&starting, request, &begun);
      if (!answer.ok()) return answer;
      v1::WaitRequest which;
      which.set_run_id(begun.run_id());
      grpc::ClientContext waiting;
      Bound(waiting);
      answer = client.broker().Wait(&waiting, which, &ended);
      if (!answer.ok() || ended.result().outcome() != v1::RunResult::LOST) return answer;
      // Its broker died before it was launched, so its key is free.
      ++tally_.lost;
      return grpc::Status(grpc::StatusCode::UNAVAILABLE, "lost before its launch");
    });
    ++tally_.detached;
    Expect(number, status, ended.result());
  }

  static void Expect(int number, const grpc::Status& status, const v1::RunResult& result) {
    EXPECT_TRUE(status.ok()) << "job " << number << ": " << status.error_message();
    EXPECT_EQ(result.outcome(), v1::RunResult::EXITED) << "job " << number;
    EXPECT_EQ(result.exit_code(), number % 100) << "job " << number;
  }

  // Every second job is detached. The broker is killed while clients wait for answers.
  void RunAll(int runs) {
    Guarded<int> under_way(kClients);
    std::condition_variable_any changed;
    std::atomic<int> next = 0;
    std::vector<std::jthread> clients;
    for (int i = 0; i < kClients; ++i) {
      clients.emplace_back([&] {
        for (int number = next++; number < runs; number = next++) {
          number % 2 == 0 ? RunAttached(number) : RunDetached(number);
        }
        --*under_way.Lock();
        changed.notify_all();
      });
    }
    const auto done = [&] {
      auto left = under_way.Lock();
      return left.Wait(changed, {}, Deadline::After(kBetweenKills), [&] { return *left == 0; });
    };
    while (!done()) {
      if (tally_.kills >= runs / kRunsPerKill) continue;
      broker_->Kill();
      broker_->Restart();
      ++tally_.kills;
    }
  }

  Lab lab_;
  std::unique_ptr<BrokerProcess> broker_;
  Tally tally_;
};

TEST_F(Load, EveryClientIsAnsweredAndNothingIsLeftNorRunTwiceWhileTheBrokerIsKilled) {
  const char* chosen = std::getenv("TIDEWAITER_LOAD_RUNS");
  const int runs = chosen == nullptr ? kUsualRuns : std::atoi(chosen);
  Starts starts(lab_.docker_socket, broker_->broker_id());
  RunAll(runs);
  EXPECT_EQ(tally_.attached + tally_.detached, runs);
  // Else it has shown nothing: so few runs are over before the first kill.
  EXPECT_GT(tally_.kills, 0);
  Eventually(kPatience, [&] {
    const Records records(broker_->audit_file());
    return LabelledLeftovers(lab_.docker_socket, broker_->broker_id()).empty() &&
           fs::is_empty(broker_->runs_folder()) && records.finished == records.admitted;
  });
  EXPECT_THAT(LabelledLeftovers(lab_.docker_socket, broker_->broker_id()), IsEmpty());
  EXPECT_TRUE(fs::is_empty(broker_->runs_folder()));
  const Records records(broker_->audit_file());
  EXPECT_THAT(records.admitted, Each(Pair(::testing::_, 1)));
  EXPECT_EQ(records.finished, records.admitted);
  const std::map<std::string, int>& started = starts.End();
  int containers = 0;
  for (const auto& [job, times] : started) containers += times;
  for (int number = 1; number < runs; number += 2) {
    const std::string job = "job-" + std::to_string(number);
    EXPECT_LE(started.contains(job) ? started.at(job) : 0, 1) << job;
  }
  std::printf(
      "%d runs of %d clients, the broker killed %d times: %zu admitted, %d containers started, "
      "%d attached results, %d detached results (after %d that were lost before their launch), "
      "%d retries\n",
      runs, kClients, tally_.kills.load(), records.admitted.size(), containers,
      tally_.attached.load(), tally_.detached.load(), tally_.lost.load(), tally_.retries.load());
}

}  // namespace
}  // namespace tidewaiter::testing
