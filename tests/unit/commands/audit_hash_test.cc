// `tidewaiter audit hash`: what an auditor compares with the log.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "base/unique_fd.h"
#include "client/commands/program.h"
#include "tests/unit/audit/scratch_folder.h"

namespace tidewaiter::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// As Python says: hmac.new(bytes(range(32)), b"s3cr3t", "sha256").hexdigest()
constexpr char kKey[] = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n";
constexpr char kHash[] =
    "hmac-sha256:5cc935b01a05052448b89e0dfc39f87c1427571750db69fe45203a8c505b7b1c";

struct Answer {
  int status = 0;
  std::string out;
  std::string err;
};

class AuditHash : public ::testing::Test {
 protected:
  AuditHash() { audit::AppendText(key_, kKey); }

  Answer Ask(std::vector<std::string> words, const std::string& input = {}) {
    words.insert(words.begin(), {"audit", "hash"});
    audit::AppendText(input_, input);
    const UniqueFd stdin_before(::dup(STDIN_FILENO));
    const UniqueFd file(::open(input_.c_str(), O_RDONLY | O_CLOEXEC));
    ::dup2(file.get(), STDIN_FILENO);
    ::testing::internal::CaptureStdout();
    ::testing::internal::CaptureStderr();
    Answer answer;
    answer.status = RunProgram(std::move(words));
    answer.out = ::testing::internal::GetCapturedStdout();
    answer.err = ::testing::internal::GetCapturedStderr();
    ::dup2(stdin_before.get(), STDIN_FILENO);
    return answer;
  }

  audit::ScratchFolder folder_;
  const std::string key_ = folder_.File("audit-hash.key");
  const std::string input_ = folder_.File("input");
};

TEST_F(AuditHash, PrintsTheHashThatTheLogHas) {
  const Answer answer = Ask({"--key", key_, "s3cr3t"});
  EXPECT_EQ(answer.status, 0) << answer.err;
  EXPECT_EQ(answer.out, std::string(kHash) + "\n");
  EXPECT_EQ(Ask({"--json", "--key=" + key_, "s3cr3t"}).out,
            "{\"hash\":\"" + std::string(kHash) + "\"}\n");
}

TEST_F(AuditHash, WithoutAValueItIsAllOfStdin) {
  EXPECT_EQ(Ask({"--key", key_}, "s3cr3t").out, std::string(kHash) + "\n");
}

TEST_F(AuditHash, ADashIsStdinToo) {
  EXPECT_EQ(Ask({"--key", key_, "-"}, "s3cr3t").out, std::string(kHash) + "\n");
}

TEST_F(AuditHash, ALineFeedIsPartOfTheValue) {
  const Answer answer = Ask({"--key", key_}, "s3cr3t\n");
  EXPECT_EQ(answer.status, 0);
  EXPECT_NE(answer.out, std::string(kHash) + "\n");
}

TEST_F(AuditHash, AValueIsHashedByteForByte) {
  const std::string before = Ask({"--key", key_, "--", "--key"}).out;
  EXPECT_THAT(before, HasSubstr("hmac-sha256:"));
  EXPECT_EQ(Ask({"--key", key_}, "--key").out, before);
  EXPECT_EQ(Ask({"--key", key_, ""}).out, Ask({"--key", key_, "--", ""}).out);
}

TEST_F(AuditHash, AKeyThatIsMissingOrIsNoneIsOne) {
  const Answer missing = Ask({"--key", folder_.File("none"), "x"});
  EXPECT_EQ(missing.status, 1);
  EXPECT_THAT(missing.err, HasSubstr("No such file"));
  audit::AppendText(key_, "\n");
  const Answer spoilt = Ask({"--key", key_, "x"});
  EXPECT_EQ(spoilt.status, 1);
  EXPECT_THAT(spoilt.err, HasSubstr("64 lower-case hexadecimal digits"));
  EXPECT_THAT(spoilt.err, Not(HasSubstr("0203")));
  EXPECT_EQ(spoilt.out, "");
}

TEST_F(AuditHash, MoreThanOneValueIsAUsageError) {
  EXPECT_EQ(Ask({"--key", key_, "a", "b"}).status, 2);
  EXPECT_EQ(Ask({"--key", "-"}).status, 2);
}

TEST_F(AuditHash, HelpSaysWhereASecretBelongs) {
  EXPECT_THAT(Ask({"--help"}).out, HasSubstr("so a secret belongs on stdin"));
}

}  // namespace
}  // namespace tidewaiter::cli
