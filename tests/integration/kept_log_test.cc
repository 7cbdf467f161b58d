// What an engine keeps of a container's output, read after the broker that was attached is gone.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <regex>
#include <thread>

#include "tests/integration/adoption_fixture.h"
#include "tests/support/scratch_folder.h"
#include "tests/support/stand_in_engine.h"

namespace tidewaiter::docker {
namespace {

using std::chrono::seconds;
using ::testing::IsEmpty;

constexpr int kAtOnce = 8;

class KeptLogTest : public OnEngine {};

TEST_F(KeptLogTest, BinaryOutputIsTheSameLiveAndFromEveryPlaceOfTheLog) {
  Left left;
  Output live;
  auto container =
      Run(Spec("head -c 300000 /dev/urandom; head -c 50000 /dev/urandom >&2"), left, live);
  ASSERT_EQ(live.out().size(), 300000U);
  ASSERT_EQ(live.err().size(), 50000U);
  for (const run::LogPosition& from :
       std::vector<run::LogPosition>{{0, 0}, {1, 1}, {16384, 0}, {16385, 49999}, {300000, 50000}}) {
    Output output;
    run::LogPosition position = from;
    const auto read = container->ReadLog(position, output.Taker(), Soon());
    ASSERT_TRUE(read.has_value()) << read.error().message;
    EXPECT_TRUE(*read);
    EXPECT_TRUE(output.out() == live.out().substr(from.stdout_bytes)) << from.stdout_bytes;
    EXPECT_TRUE(output.err() == live.err().substr(from.stderr_bytes)) << from.stderr_bytes;
    EXPECT_EQ(position, (run::LogPosition{.stdout_bytes = 300000, .stderr_bytes = 50000}));
  }
}

// Of lengths around those of the engine's own pieces.
TEST_F(KeptLogTest, LongLinesKeepTheirEnds) {
  Left left;
  Output live;
  auto container =
      Run(Spec("for n in 16383 16384 16385 32768 40000; do head -c $n /dev/zero; echo; "
               "done; echo end"),
          left, live);
  Output output;
  run::LogPosition position;
  const auto read = container->ReadLog(position, output.Taker(), Soon());
  ASSERT_TRUE(read.has_value()) << read.error().message;
  EXPECT_EQ(output.out().size(), live.out().size());
  EXPECT_TRUE(output.out() == live.out());
}

TEST_F(KeptLogTest, LogHasOneStreamsLinesAmongTheOthers) {
  Left left;
  Output live;
  auto container =
      Run(Spec("for i in 1 2 3 4 5; do echo out$i; sleep 0.1; echo err$i >&2; sleep 0.1; done"),
          left, live);
  Output output;
  run::LogPosition position;
  ASSERT_TRUE(container->ReadLog(position, output.Taker(), Soon()).has_value());
  EXPECT_EQ(output.out(), "out1\nout2\nout3\nout4\nout5\n");
  EXPECT_EQ(output.err(), "err1\nerr2\nerr3\nerr4\nerr5\n");
  EXPECT_LT(output.both().find("out1"), output.both().find("err5"));
  EXPECT_LT(output.both().find("err1"), output.both().find("out5"));
}

TEST_F(KeptLogTest, TakerThatHasEnoughGetsTheRestLater) {
  Left left;
  Output live;
  auto container = Run(Spec("echo 1; echo 2; echo 3"), left, live);
  Output output;
  run::LogPosition position;
  const auto one = [&output](run::OutputStream stream, std::span<const std::byte> data) {
    output.Write(stream, data);
    return false;
  };
  for (const std::string had : {"1\n", "1\n2\n", "1\n2\n3\n"}) {
    const auto read = container->ReadLog(position, one, Soon());
    ASSERT_TRUE(read.has_value()) << read.error().message;
    EXPECT_FALSE(*read);
    EXPECT_EQ(output.out(), had);
  }
  const auto read = container->ReadLog(position, one, Soon());
  ASSERT_TRUE(read.has_value()) << read.error().message;
  EXPECT_TRUE(*read);
}

// An exit comes with the whole log, or it would be cut for ever.
TEST_F(KeptLogTest, LastBytesAreInTheLogOnceTheExitIsTold) {
  constexpr int kEach = 5;
  std::vector<std::jthread> threads;
  std::mutex mutex;
  std::vector<std::string> wrong;
  for (int i = 0; i < kAtOnce; ++i) {
    threads.emplace_back([&] {
      for (int n = 0; n < kEach; ++n) {
        Left left;
        auto container = Create(Spec("echo begin; head -c 20000 /dev/zero >&2; printf end"), left);
        const bool started = container && (*container)->Start(Soon()).has_value();
        if (started) (*container)->exited().Wait({}, Deadline::After(seconds(60)));
        Output output;
        run::LogPosition position;
        const bool read =
            started && (*container)->ReadLog(position, output.Taker(), Soon()).value_or(false);
        if (read && output.out() == "begin\nend" && output.err() == std::string(20000, '\0')) {
          backend().Remove(left.container(), left.run_id, Deadline::After(seconds(60)));
          continue;
        }
        const std::lock_guard lock(mutex);
        wrong.push_back(output.out() + " and " + std::to_string(output.err().size()));
      }
    });
  }
  threads.clear();
  EXPECT_THAT(wrong, IsEmpty());
}

TEST_F(KeptLogTest, LogOfShortLinesBeyondItsBoundIsGivenUp) {
  policy::RunSpec spec = Spec("yes '' | head -n 400000");
  spec.limits.log_bytes = 1000;
  Left left;
  Output live;
  auto container = Run(spec, left, live);
  Output output;
  run::LogPosition position;
  for (int times = 0; times < 2; ++times) {
    const auto read = container->ReadLog(position, output.Taker(), Soon());
    ASSERT_FALSE(read.has_value());
    EXPECT_EQ(read.error().Reason(), "LOG_INCOMPLETE") << read.error().message;
  }
  EXPECT_EQ(output.out(), "");
}

// What the tests without an engine build on: status and body of one reading of the log of the
// container that `left` names, times replaced.
struct LogAnswer {
  long status = 0;
  std::string body;
  friend bool operator==(const LogAnswer&, const LogAnswer&) = default;
};
LogAnswer AskForLog(io::HttpClient& http, const std::string& socket, const std::string& which,
                    const std::string& query) {
  io::HttpRequest request;
  request.url = "http://docker/v1.41/containers/" + which + "/logs?stdout=1&stderr=1" + query;
  request.unix_socket = socket;
  auto answer = http.Fetch(request, {}, Deadline::After(seconds(30)));
  if (!answer) return {};
  static const std::regex kTime(R"(20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z )");
  if (answer->body.ends_with('\n')) answer->body.pop_back();  // after a refusal's JSON
  return {.status = answer->status, .body = std::regex_replace(answer->body, kTime, "TIME ")};
}

TEST_F(KeptLogTest, StandInAnswersForLogsAsTheEngineDoes) {
  const ::tidewaiter::testing::ScratchFolder folder;
  ::tidewaiter::testing::StandInEngine stand_in(folder / "engine.sock");
  const std::string text = "a\nbb\n" + std::string(40000, 'x') + "\ntail";
  Left left;
  Output live;
  auto container = Run(
      Spec("echo a; echo bb; head -c 40000 /dev/zero | tr '\\0' x; echo; printf tail"), left, live);
  ASSERT_EQ(live.out(), text);
  Left unstarted;
  ASSERT_TRUE(Create(Spec("exit 0"), unstarted).has_value());

  const auto make = [&](const std::string& name, const std::string& driver) {
    io::HttpRequest request;
    request.method = "POST";
    request.url = "http://docker/v1.41/containers/create?name=" + name;
    request.unix_socket = folder / "engine.sock";
    request.headers = {{"Content-Type", "application/json"}};
    request.body = nlohmann::json{{"Cmd", {"print", text}},
                                  {"HostConfig", {{"LogConfig", {{"Type", driver}}}}}}
                       .dump();
    ASSERT_TRUE(broker_->http->Fetch(request, {}, Deadline::After(seconds(30))).has_value());
    if (name == "unstarted") return;
    request.url = "http://docker/v1.41/containers/" + name + "/start";
    request.body.clear();
    ASSERT_TRUE(broker_->http->Fetch(request, {}, Deadline::After(seconds(30))).has_value());
  };
  make("ran", "local");
  make("unstarted", "local");

  struct Case {
    std::string real;
    std::string stood_in;
    std::string query;
  };
  const std::string future = "&since=4000000000.000000000";
  for (const Case& one : std::vector<Case>{{left.container().id, "ran", "&timestamps=1"},
                                           {left.container().id, "ran", "&timestamps=1" + future},
                                           {unstarted.container().id, "unstarted", "&timestamps=1"},
                                           {"nonesuch", "nonesuch", "&timestamps=1"}}) {
    const LogAnswer real = AskForLog(*broker_->http, lab_.docker_socket, one.real, one.query);
    EXPECT_NE(real.status, 0);
    EXPECT_TRUE(real == AskForLog(*broker_->http, folder / "engine.sock", one.stood_in, one.query))
        << one.stood_in << one.query << ": " << real.status << ", " << real.body.size();
  }
}

// By log_driver.h: what limits.log admits of lines of eleven bytes.
TEST_F(KeptLogTest, LogOfShortLinesWithinItsBoundIsWhole) {
  policy::RunSpec spec = Spec("yes 0123456789 | head -n 90000");
  spec.limits.log_bytes = 90000 * 11;
  Left left;
  Output live;
  auto container = Run(spec, left, live);
  Output output;
  run::LogPosition position;
  const auto read = container->ReadLog(position, output.Taker(), Soon());
  ASSERT_TRUE(read.has_value()) << read.error().message;
  EXPECT_TRUE(output.out() == live.out());
  EXPECT_EQ(position.stdout_bytes, 990000U);
}

}  // namespace
}  // namespace tidewaiter::docker
