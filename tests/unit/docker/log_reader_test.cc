// A log that the test writes, answered over a real socket as an engine answers it.
#include "broker/docker/log_reader.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "tests/support/fake_http.h"
#include "tests/support/scratch_folder.h"
#include "tests/support/stand_in_log.h"
#include "tests/support/stand_in_recordings.h"
#include "tests/support/stand_in_server.h"

namespace tidewaiter::docker {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::Answer;
using testing::FakeHttp;
using testing::kVersionAnswer;
using ::tidewaiter::testing::StandInConnection;
using ::tidewaiter::testing::StandInRequest;

constexpr std::uint64_t kSafeBytes = 100'000;
const EngineTime kBegin{seconds(1'795'373'469)};

struct Message {
  seconds at;  // after kBegin
  std::string text;
  bool error = false;
};

class LogReaderTest : public ::testing::Test {
 protected:
  LogReaderTest()
      : server_(folder_ / "engine.sock",
                [this](const StandInRequest& request, StandInConnection& peer) {
                  Answer(request, peer);
                }),
        http_([](const io::HttpRequest&) { return docker::Answer(200, kVersionAnswer); }),
        client_(http_, folder_ / "engine.sock"),
        api_(client_, settings_) {
    settings_.call_timeout = seconds(20);
  }

  void Answer(const StandInRequest& request, StandInConnection& peer) {
    const std::lock_guard lock(mutex_);
    queries_.push_back(request.query);
    const std::string since = ::tidewaiter::testing::QueryValue(request.query, "since");
    peer.CloseAfterwards();
    if (status_ != 200) {
      peer.Answer(status_, ::tidewaiter::testing::Message("refused"));
      return;
    }
    peer.BeginChunks();
    std::size_t sent = 0;
    for (const Message& message : log_) {
      const EngineTime time = kBegin + message.at;
      if (!since.empty() && SinceText(time) < since) continue;
      if (sent++ == cut_after_) return;
      std::string frame = ::tidewaiter::testing::Frame(::tidewaiter::testing::EngineTimeText(time) +
                                                       " " + message.text);
      if (message.error) frame[0] = 2;
      peer.Chunk(frame);
    }
    peer.Chunk("");
  }

  void Write(std::vector<Message> messages) {
    const std::lock_guard lock(mutex_);
    for (Message& message : messages) log_.push_back(std::move(message));
  }
  // The oldest go, as when the engine begins a file anew.
  void Drop(std::ptrdiff_t messages) {
    const std::lock_guard lock(mutex_);
    log_.erase(log_.begin(), log_.begin() + messages);
  }
  void AnswerWith(int status) {
    const std::lock_guard lock(mutex_);
    status_ = status;
  }
  void CutAfter(std::size_t messages) {
    const std::lock_guard lock(mutex_);
    cut_after_ = messages;
  }
  // What was asked for since the last time: "all", or since how many seconds after kBegin.
  std::vector<std::string> Asked() {
    const std::lock_guard lock(mutex_);
    std::vector<std::string> asked;
    for (const std::string& query : std::exchange(queries_, {})) {
      const std::string since = ::tidewaiter::testing::QueryValue(query, "since");
      asked.push_back(since.empty() ? "all"
                                    : std::to_string(std::stol(since) -
                                                     kBegin.time_since_epoch() / seconds(1)));
    }
    return asked;
  }

  // At that time; "" or the error's reason, or its code where it has none.
  std::string Read(seconds at) {
    now_ = {.wall = kBegin + at + step_, .since_boot = hours(100) + at};
    const auto read =
        reader_.Read(position_,
                     [this](run::OutputStream stream, std::span<const std::byte> data) {
                       std::string& text = stream == run::OutputStream::kStdout ? out_ : err_;
                       for (const std::byte b : data) text += std::to_integer<char>(b);
                       return true;
                     },
                     {.stop = {}, .deadline = Deadline::After(seconds(20))});
    if (read) return *read ? "" : "stopped";
    return std::string(read.error().Reason());
  }

  ::tidewaiter::testing::ScratchFolder folder_;
  std::mutex mutex_;
  std::vector<Message> log_;
  std::vector<std::string> queries_;
  int status_ = 200;
  std::size_t cut_after_ = SIZE_MAX;
  ::tidewaiter::testing::StandInServer server_;
  FakeHttp http_;
  DockerSettings settings_;
  EngineClient client_;
  EngineApi api_;
  LogReader::Times now_;
  seconds step_{0};  // of the wall clock
  LogReader reader_{api_, settings_, std::string(64, 'c'), kSafeBytes, [this] { return now_; }};
  run::LogPosition position_;
  std::string out_;
  std::string err_;
};

TEST_F(LogReaderTest, WhatIsThereAlreadyIsPassedOver) {
  Write({{seconds(0), "one\n"}, {seconds(1), "error\n", true}, {seconds(2), "two\n"}});
  position_ = {.stdout_bytes = 5, .stderr_bytes = 2};
  EXPECT_EQ(Read(seconds(3)), "");
  EXPECT_EQ(out_, "wo\n");
  EXPECT_EQ(err_, "ror\n");
  EXPECT_EQ(position_, (run::LogPosition{.stdout_bytes = 8, .stderr_bytes = 6}));
}

// The copy has what came live; the log has no line before its end.
TEST_F(LogReaderTest, CopyThatIsAheadOfTheLogGetsNothingTwice) {
  Write({{seconds(0), "one\n"}});
  position_ = {.stdout_bytes = 6};
  EXPECT_EQ(Read(seconds(1)), "");
  EXPECT_EQ(out_, "");
  Write({{seconds(2), "two\n"}});
  EXPECT_EQ(Read(seconds(3)), "");
  EXPECT_EQ(out_, "o\n");
}

TEST_F(LogReaderTest, LaterReadingsAskOnlyForWhatMayBeNew) {
  Write({{seconds(0), "one\n"}, {seconds(100), "two\n"}});
  EXPECT_EQ(Read(seconds(101)), "");
  EXPECT_EQ(Asked(), (std::vector<std::string>{"all", "all"}));
  Write({{seconds(102), "three\n"}, {seconds(103), "error\n", true}});
  EXPECT_EQ(Read(seconds(110)), "");
  EXPECT_EQ(Asked(), (std::vector<std::string>{"71"}));
  Write({{seconds(111), "four\n"}});
  EXPECT_EQ(Read(seconds(140)), "");
  EXPECT_EQ(Asked(), (std::vector<std::string>{"80"}));
  EXPECT_EQ(out_, "one\ntwo\nthree\nfour\n");
  EXPECT_EQ(err_, "error\n");
}

TEST_F(LogReaderTest, MessagesOfOneTimeAreAllRead) {
  Write({{seconds(0), "one\n"}, {seconds(100), "a\n"}, {seconds(100), "b\n"}});
  EXPECT_EQ(Read(seconds(130)), "");
  Write({{seconds(100), "c\n"}, {seconds(131), "d\n"}});
  EXPECT_EQ(Read(seconds(131)), "");
  EXPECT_EQ(out_, "one\na\nb\nc\nd\n");
}

TEST_F(LogReaderTest, RestOfALineThatTookLongIsRead) {
  Write({{seconds(0), "one\n"}, {seconds(1), "begun, "}, {seconds(100), "error\n", true}});
  EXPECT_EQ(Read(seconds(101)), "");
  EXPECT_EQ(Read(seconds(102)), "");
  Write({{seconds(1), "and ended\n"}});
  EXPECT_EQ(Read(seconds(200)), "");
  EXPECT_EQ(out_, "one\nbegun, and ended\n");
}

TEST_F(LogReaderTest, ClockThatIsSetBackHidesNothing) {
  Write({{seconds(0), "one\n"}, {seconds(1000), "two\n"}});
  EXPECT_EQ(Read(seconds(1001)), "");
  Asked();
  step_ = -seconds(900);
  Write({{seconds(150), "three\n"}});
  EXPECT_EQ(Read(seconds(1050)), "");
  EXPECT_EQ(Asked(), (std::vector<std::string>{"all"}));
  EXPECT_EQ(out_, "one\ntwo\nthree\n");
  Write({{seconds(151), "four\n"}});
  EXPECT_EQ(Read(seconds(1051)), "");
  EXPECT_EQ(out_, "one\ntwo\nthree\nfour\n");
}

TEST_F(LogReaderTest, PositionThatGoesBackIsReadFromThere) {
  Write({{seconds(0), "one\n"}, {seconds(100), "two\n"}});
  EXPECT_EQ(Read(seconds(101)), "");
  position_ = {};
  out_.clear();
  EXPECT_EQ(Read(seconds(102)), "");
  EXPECT_EQ(out_, "one\ntwo\n");
}

TEST_F(LogReaderTest, LogThatIsCutOffIsReadOnWhereItWasCut) {
  Write({{seconds(0), "one\n"}});
  EXPECT_EQ(Read(seconds(1)), "");
  Write({{seconds(1), "two\n"}, {seconds(2), "three\n"}});
  CutAfter(2);
  EXPECT_EQ(Read(seconds(3)), "ENGINE_UNAVAILABLE");
  EXPECT_EQ(out_, "one\ntwo\n");
  CutAfter(SIZE_MAX);
  EXPECT_EQ(Read(seconds(4)), "");
  EXPECT_EQ(out_, "one\ntwo\nthree\n");
}

TEST_F(LogReaderTest, LogWhoseBeginningMayBeGoneIsNotHandedOver) {
  Write(std::vector<Message>(kSafeBytes / 32 + 1, Message{seconds(0), "\n"}));
  EXPECT_EQ(Read(seconds(1)), "LOG_INCOMPLETE");
  EXPECT_EQ(out_, "");
}

TEST_F(LogReaderTest, LogWhoseBeginningWentBetweenReadingsIsNotHandedOver) {
  Write({{seconds(0), "one\n"}, {seconds(1), "two\n"}});
  EXPECT_EQ(Read(seconds(2)), "");
  Drop(1);
  Write({{seconds(3), "three\n"}});
  EXPECT_EQ(Read(seconds(4)), "LOG_INCOMPLETE");
  EXPECT_EQ(out_, "one\ntwo\n");
  Asked();
  EXPECT_EQ(Read(seconds(5)), "LOG_INCOMPLETE");  // for ever
  EXPECT_EQ(Asked(), std::vector<std::string>{});
}

TEST_F(LogReaderTest, LogThatVanishedIsNotTakenForAnEmptyOne) {
  Write({{seconds(0), "one\n"}});
  EXPECT_EQ(Read(seconds(2)), "");
  Drop(1);
  EXPECT_EQ(Read(seconds(4)), "LOG_INCOMPLETE");
}

TEST_F(LogReaderTest, LogThatOutgrowsItsBoundIsGivenUpWhereItDoes) {
  Write({{seconds(0), "one\n"}});
  EXPECT_EQ(Read(seconds(1)), "");
  Write(std::vector<Message>(kSafeBytes / 32 + 1, Message{seconds(2), "\n"}));
  EXPECT_EQ(Read(seconds(3)), "LOG_INCOMPLETE");
}

TEST_F(LogReaderTest, EmptyLogIsReadAgain) {
  EXPECT_EQ(Read(seconds(1)), "");
  Write({{seconds(2), "one\n"}});
  EXPECT_EQ(Read(seconds(3)), "");
  EXPECT_EQ(out_, "one\n");
}

TEST_F(LogReaderTest, ContainerThatIsGoneIsNotFound) {
  AnswerWith(404);
  now_ = {.wall = kBegin, .since_boot = hours(100)};
  const auto read =
      reader_.Read(position_, [](run::OutputStream, std::span<const std::byte>) { return true; },
                   {.stop = {}, .deadline = Deadline::After(seconds(20))});
  ASSERT_FALSE(read.has_value());
  EXPECT_EQ(read.error().code, ErrorCode::kNotFound);
}

TEST_F(LogReaderTest, LogThatIsNotKeptIsNotAskedFor) {
  LogReader reader(api_, settings_, std::string(64, 'c'), 0, [this] { return now_; });
  const auto read =
      reader.Read(position_, [](run::OutputStream, std::span<const std::byte>) { return true; },
                  {.stop = {}, .deadline = Deadline::After(seconds(20))});
  ASSERT_FALSE(read.has_value());
  EXPECT_EQ(read.error().Reason(), "LOG_NOT_KEPT");
  EXPECT_EQ(Asked(), std::vector<std::string>{});
}

}  // namespace
}  // namespace tidewaiter::docker
