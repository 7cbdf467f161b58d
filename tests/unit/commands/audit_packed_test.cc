// The commands over a folder whose older segments are compressed: as if they were not.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "client/commands/program.h"
#include "tests/support/packed_log.h"

namespace tidewaiter::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

class AuditPacked : public ::testing::Test {
 protected:
  std::string Ask(std::vector<std::string> words, int status = 0) {
    words.insert(words.begin(), "audit");
    ::testing::internal::CaptureStdout();
    ::testing::internal::CaptureStderr();
    const int ended = RunProgram(std::move(words));
    std::string out = ::testing::internal::GetCapturedStdout();
    errors_ = ::testing::internal::GetCapturedStderr();
    EXPECT_EQ(ended, status) << errors_;
    return out;
  }
  static std::string Key() { return testing::AuditKey()->verifier().ToString(); }

  const testing::PackedLog log_;
  const testing::ScratchFolder out_;
  std::string errors_;
};

TEST_F(AuditPacked, QueryBeginsWithinACompressedSegment) {
  EXPECT_EQ(Ask({"query", "--dir", log_.path()}), log_.Lines(0, 11));
  EXPECT_EQ(Ask({"query", "--dir", log_.path(), "--since", "1970-01-01T05:30:00Z"}),
            log_.Lines(6, 11));
  EXPECT_EQ(Ask({"query", "--dir", log_.path(), "--since", "1970-01-01T02:00:00Z", "--until",
                 "1970-01-01T05:00:00Z"}),
            log_.Lines(2, 5));
}

TEST_F(AuditPacked, TailBeginsWithinACompressedSegment) {
  EXPECT_EQ(Ask({"tail", "--dir", log_.path(), "-n", "5"}), log_.Lines(6, 11));
  EXPECT_EQ(Ask({"tail", "--dir", log_.path(), "-n", "2", "--principal", "odd"}),
            log_.Lines(7, 8) + log_.Lines(9, 10));
}

TEST_F(AuditPacked, StatsCountWhatIsCompressed) {
  const auto sums = nlohmann::json::parse(
      Ask({"stats", "--dir", log_.path(), "--json", "--since", "1970-01-01T05:30:00Z"}));
  EXPECT_EQ(sums["records"], 5);
  EXPECT_EQ(sums["segments"], 3);
  EXPECT_EQ(sums["first"], "1970-01-01T06:00:00.000000000Z");
  EXPECT_EQ(sums["last"], "1970-01-01T10:00:00.000000000Z");
}

TEST_F(AuditPacked, ReportIsOfThePeriodAndVerifiedAsAWhole) {
  const std::string page = out_ / "report.html";
  Ask({"report", "--dir", log_.path(), "--html", page, "--key", Key(), "--since",
       "1970-01-01T05:30:00Z"});
  std::ostringstream html;
  html << std::ifstream(page).rdbuf();
  EXPECT_THAT(html.str(), HasSubstr("Records 0 to 10 are as they were signed"));
  EXPECT_THAT(html.str(), HasSubstr("<dt>Runs denied</dt><dd>5</dd>"));
}

TEST_F(AuditPacked, ARecordOfACompressedSegmentIsProven) {
  const std::string proof = out_ / "proof";
  std::ofstream(proof) << Ask({"prove", "5", "--dir", log_.path(), "--key", Key()});
  EXPECT_THAT(Ask({"check-proof", proof, "--key", Key()}), StartsWith(log_.Lines(5, 6)));
}

TEST_F(AuditPacked, ACompressedSegmentThatIsCutIsAnErrorToEveryCommand) {
  const std::string packed = log_.File(4, audit::kPackedSuffix);
  std::filesystem::resize_file(packed, std::filesystem::file_size(packed) - 1);
  for (const std::vector<std::string>& words :
       std::vector<std::vector<std::string>>{{"query", "--since", "1970-01-01T05:30:00Z"},
                                             {"tail"},
                                             {"stats"},
                                             {"report", "--html", out_ / "report.html"},
                                             {"prove", "5", "--key", Key()}}) {
    std::vector<std::string> with_folder = words;
    with_folder.insert(with_folder.end(), {"--dir", log_.path()});
    Ask(with_folder, 1);
    EXPECT_THAT(errors_, HasSubstr("unpack audit log")) << words.front();
  }
  EXPECT_THAT(Ask({"verify", log_.path(), "--key", Key()}, 1), HasSubstr("record"));
}

}  // namespace
}  // namespace tidewaiter::cli
