// `tidewaiter run --output` with its own worker, against a broker that sends what a test says.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "tests/support/program.h"
#include "tests/support/scripted_broker.h"
#include "tests/support/tar_bytes.h"

namespace tidewaiter::testing {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class RunOutput : public ::testing::Test {
 protected:
  // A run with this archive for its output, and this limit of it.
  Program::Ended Run(const std::string& archive, std::int64_t output_bytes = 1000) {
    const ScriptedBroker broker([&](RunStream& stream) {
      stream.Write(AdmittedEvent(output_bytes));
      v1::RunEvent event;
      event.mutable_output_piece()->set_name("o");
      for (std::size_t at = 0; at < archive.size(); at += 700) {
        event.mutable_output_piece()->set_data(archive.substr(at, 700));
        stream.Write(event);
      }
      event.mutable_output_piece()->clear_data();
      event.mutable_output_piece()->mutable_end();
      stream.Write(event);
      stream.Write(ExitedEvent());
      return grpc::Status::OK;
    });
    Program program("tidewaiter", {"run", "--socket", broker.socket_path(), "--output",
                                   "o=/out:" + to_, "image"});
    return program.Wait();
  }

  ScratchFolder folder_;
  const std::string to_ = folder_ / "to";
};

TEST_F(RunOutput, ArrivesInItsFolder) {
  const auto ended = Run(TarBytes().Folder("a/").File("a/f", "12345").Ended());
  EXPECT_EQ(ended.status, 0) << ended.err;
  std::ifstream file(to_ + "/a/f");
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(file), {}), "12345");
}

TEST_F(RunOutput, BeyondTheLimitOfTheRunIsRefused) {
  const std::string archive = TarBytes().File("f", "12345").Ended();
  const auto ended = Run(archive, 4);
  EXPECT_EQ(ended.status, 125);
  EXPECT_THAT(ended.err, HasSubstr("refused: too-many-bytes: more than 4 bytes of content: 'f'"));
  EXPECT_FALSE(fs::exists(to_));
  EXPECT_EQ(Run(archive, 5).status, 0);
}

TEST_F(RunOutput, OfAHostileBrokerIsRefused) {
  for (const std::string& archive :
       {TarBytes().File("fine").File("../evil").Ended(),
        TarBytes().File("fine").Add({.name = "l", .type = '2', .link = "/etc"}).Ended(),
        TarBytes().File("fine", std::string(900, 'x')).bytes().substr(0, 1000),
        TarBytes().File("fine").Ended() + TarBytes().File("again").Ended()}) {
    const auto ended = Run(archive);
    EXPECT_EQ(ended.status, 125);
    EXPECT_THAT(ended.err, HasSubstr("take output 'o' to '" + to_ + "': refused: "));
    EXPECT_FALSE(fs::exists(to_));
    EXPECT_FALSE(fs::exists(folder_ / "evil"));
  }
}

}  // namespace
}  // namespace tidewaiter::testing
