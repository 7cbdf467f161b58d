// `run --input --output` against a broker that does what each test says.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <map>
#include <thread>
#include <vector>

#include "client/commands/program.h"
#include "tests/support/scripted_broker.h"
#include "tests/unit/extract/recording_sink.h"

namespace tidewaiter::cli {
namespace {

namespace fs = std::filesystem;
using testing::AdmittedEvent;
using testing::ExitedEvent;
using ::testing::HasSubstr;
using testing::RunStream;
using testing::ScriptedBroker;

struct Answer {
  int status = 0;
  std::string out;
  std::string err;
};

class RunArchivesTest : public ::testing::Test {
 protected:
  RunArchivesTest() {
    std::signal(SIGPIPE, SIG_IGN);
    fs::create_directories(in_ + "/sub");
    std::ofstream(in_ + "/sub/file") << "content";
  }

  Answer Run(const ScriptedBroker& broker, std::vector<std::string> arguments) {
    return Run(broker.socket_path(), std::move(arguments));
  }
  Answer Run(const std::string& socket, std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {"run", "--socket", socket});
    arguments.emplace_back("image");
    ::testing::internal::CaptureStdout();
    ::testing::internal::CaptureStderr();
    Answer answer;
    answer.status = RunProgram(std::move(arguments));
    answer.out = ::testing::internal::GetCapturedStdout();
    answer.err = ::testing::internal::GetCapturedStderr();
    return answer;
  }

  // Takes the requests up to the last piece of each of so many inputs; then the run ends well.
  auto TakeInputs(int inputs) {
    return [this, inputs](RunStream& stream) {
      v1::RunRequest request;
      stream.Read(&request);
      start_ = request.start();
      stream.Write(AdmittedEvent());
      for (int left = inputs; left > 0 && stream.Read(&request);) {
        const v1::InputPiece& piece = request.input();
        archives_[piece.name()] += piece.data();
        order_ += piece.last() ? piece.name() : "";
        left -= piece.last() ? 1 : 0;
      }
      stream.Write(ExitedEvent());
      return grpc::Status::OK;
    };
  }

  testing::ScratchFolder folder_;
  const std::string in_ = folder_ / "in";
  v1::StartRun start_;
  std::map<std::string, std::string> archives_;
  std::string order_;
};

TEST_F(RunArchivesTest, AFolderIsSentAsAnArchiveOfWhatIsInIt) {
  const ScriptedBroker broker(TakeInputs(1));
  const Answer answer = Run(broker, {"--input", "a=" + in_ + ":/in"});
  EXPECT_EQ(answer.status, 0) << answer.err;
  ASSERT_EQ(start_.spec().mounts_size(), 1);
  EXPECT_EQ(start_.spec().mounts(0).target(), "/in");
  EXPECT_EQ(start_.spec().mounts(0).input().name(), "a");
  extract::RecordingSink read;
  ASSERT_TRUE(extract::ExtractBytes(archives_.at("a"), read));
  EXPECT_EQ(read.files, (std::map<std::string, std::string>{{"sub/file", "content"}}));
}

TEST_F(RunArchivesTest, AFileIsSentAsItIsAndInputsGoOneAfterAnother) {
  const std::string bytes(1'000'000, 'x');
  std::ofstream(folder_ / "archive") << bytes;
  const ScriptedBroker broker(TakeInputs(2));
  const Answer answer = Run(broker, {"--input", "z=" + (folder_ / "archive") + ":/z", "--input",
                                     "a=" + in_, "--mount", "type=input,source=a,target=/a"});
  EXPECT_EQ(answer.status, 0) << answer.err;
  EXPECT_EQ(archives_.at("z"), bytes);
  EXPECT_EQ(order_, "za");
}

// `content` is this process's stdin meanwhile.
class WithStdin {
 public:
  explicit WithStdin(const std::string& content) : saved_(::dup(STDIN_FILENO)) {
    const UniqueFd file = extract::MemoryFile(content);
    ::dup2(file.get(), STDIN_FILENO);
  }
  ~WithStdin() { ::dup2(saved_.get(), STDIN_FILENO); }
  WithStdin(const WithStdin&) = delete;
  WithStdin& operator=(const WithStdin&) = delete;

 private:
  UniqueFd saved_;
};

TEST_F(RunArchivesTest, ADashSendsStdin) {
  const WithStdin given("an archive");
  const ScriptedBroker broker(TakeInputs(1));
  EXPECT_EQ(Run(broker, {"--input", "a=-:/in"}).status, 0);
  EXPECT_EQ(archives_.at("a"), "an archive");
}

// The input comes last of all, where nobody waits for it.
TEST_F(RunArchivesTest, StdinOfTheJobComesAfterTheInputs) {
  const WithStdin given("for the job");
  const std::string path = folder_ / "pipe";
  ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
  UniqueFd writer(::open(path.c_str(), O_RDWR | O_CLOEXEC));
  std::vector<std::string> order;
  const ScriptedBroker broker([&](RunStream& stream) {
    v1::RunRequest request;
    stream.Read(&request);
    stream.Write(AdmittedEvent());
    EXPECT_EQ(::write(writer.get(), "archive", 7), 7);
    writer.Reset();
    while (stream.Read(&request)) {
      order.push_back(request.has_input() ? request.input().data() : request.stdin());
      if (request.has_stdin_end()) break;
    }
    stream.Write(ExitedEvent());
    return grpc::Status::OK;
  });
  EXPECT_EQ(Run(broker, {"-i", "--input", "a=" + path + ":/in"}).status, 0);
  EXPECT_THAT(order, ::testing::ElementsAre("archive", "", "for the job", ""));
}

TEST_F(RunArchivesTest, WhatCannotBePackedCancelsTheRunAndIsNamed) {
  fs::create_symlink("/etc/passwd", in_ + "/link");
  const ScriptedBroker broker([&broker](RunStream& stream) {
    stream.Write(AdmittedEvent());
    v1::RunEvent event = ExitedEvent();
    event.mutable_result()->set_outcome(v1::RunResult::CANCELLED);
    while (broker.cancels() == 0) std::this_thread::yield();
    stream.Write(event);
    return grpc::Status::OK;
  });
  const Answer answer = Run(broker, {"--input", "a=" + in_ + ":/in"});
  EXPECT_EQ(answer.status, 125);
  EXPECT_THAT(answer.err, HasSubstr("pack --input a='" + in_ +
                                    "': 'link': a symbolic link: symbolic-link; remove it"));
}

TEST_F(RunArchivesTest, WhatIsWrongBeforehandIsAUsageErrorAndNothingIsSent) {
  fs::create_directories(folder_ / "full");
  std::ofstream(folder_ / "full/x") << "x";
  const std::string nobody = folder_ / "no.sock";
  for (const std::vector<std::string>& arguments :
       std::vector<std::vector<std::string>>{{"--input", "a=" + (folder_ / "none") + ":/in"},
                                             {"--input", "a"},
                                             {"--input", "a=" + in_},
                                             {"-i", "--input", "a=-:/in"},
                                             {"--input", "a=-:/in", "--input", "b=-:/b"},
                                             {"--mount", "type=input,source=a,target=/in"},
                                             {"--output", "o=/out:" + (folder_ / "full")},
                                             {"--output", "o=/out:" + (folder_ / "none/below")},
                                             {"--output", "o=out"}}) {
    EXPECT_EQ(Run(nobody, arguments).status, 2) << ::testing::PrintToString(arguments);
  }
}

TEST_F(RunArchivesTest, AnOutputThatDoesNotComeFailsARunThatEndedWell) {
  const auto end_with = [](int exit_code) {
    return [exit_code](RunStream& stream) {
      stream.Write(AdmittedEvent());
      stream.Write(ExitedEvent(exit_code));
      return grpc::Status::OK;
    };
  };
  const std::string to = folder_ / "to";
  const ScriptedBroker well(end_with(0));
  const Answer answer = Run(well, {"--output", "o=/out:" + to});
  EXPECT_EQ(answer.status, 125);
  EXPECT_EQ(answer.err, "tidewaiter: output 'o' has not come whole\n");
  EXPECT_FALSE(fs::exists(to));
  const ScriptedBroker badly(end_with(3));
  EXPECT_EQ(Run(badly, {"--output", "o=/out:" + to}).status, 3);
}

auto SendOmissions(int shown, std::uint64_t omitted) {
  return [=](RunStream& stream) {
    stream.Write(AdmittedEvent());
    v1::RunEvent event;
    v1::OutputPiece& piece = *event.mutable_output_piece();
    piece.set_name("nobody's");
    piece.set_data("bytes");
    stream.Write(event);
    for (int i = 0; i < shown; ++i) {
      v1::Omission& omission = *piece.mutable_end()->add_omissions();
      omission.set_path("link" + std::to_string(i));
      omission.set_code("symbolic-link");
    }
    piece.mutable_end()->set_omitted(omitted);
    stream.Write(event);
    stream.Write(ExitedEvent());
    return grpc::Status::OK;
  };
}

TEST_F(RunArchivesTest, WhatIsLeftBehindIsToldUpToTwenty) {
  const ScriptedBroker broker(SendOmissions(30, 5000));
  const Answer answer = Run(broker, {});
  EXPECT_EQ(answer.status, 0);
  EXPECT_THAT(answer.err, HasSubstr("output 'nobody\\'s': left behind 'link19': symbolic-link\n"));
  EXPECT_THAT(answer.err, ::testing::Not(HasSubstr("link20")));
  EXPECT_THAT(answer.err, HasSubstr("output 'nobody\\'s': and 4980 more left behind\n"));
  EXPECT_EQ(Run(broker, {"--quiet"}).err, "");
}

TEST_F(RunArchivesTest, JsonHasTheEndOfAnOutputAndNotItsBytes) {
  const ScriptedBroker broker(SendOmissions(1, 1));
  const std::string out = Run(broker, {"--json"}).out;
  EXPECT_THAT(out, HasSubstr(R"("outputPiece":{"name":"nobody's","end":{)"));
  EXPECT_THAT(out, ::testing::Not(HasSubstr("data")));
  EXPECT_EQ(std::count(out.begin(), out.end(), '\n'), 3);
}

}  // namespace
}  // namespace tidewaiter::cli
