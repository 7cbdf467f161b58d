#include "broker/kubernetes/input_secrets.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "tests/unit/kubernetes/run_fixture.h"

namespace tidewaiter::kubernetes {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class InputSecretsTest : public ::testing::Test {
 protected:
  policy::AdmittedRun Run() {
    policy::RunSpec spec = FullSpec();
    for (const auto& [name, bytes] : inputs_) {
      spec.mounts.push_back(
          {.target = "/in/" + name, .read_only = true, .source = policy::InputMount{name}});
    }
    return AdmittedOf(spec);
  }
  // In pieces whose length is no divisor of anything.
  run::InputReader Reader() {
    return [this](const std::string& name, const run::ArchiveWriter& write,
                  const run::Patience&) -> Result<void> {
      std::string_view rest = inputs_[name];
      while (!rest.empty()) {
        TW_TRY(write(rest.substr(0, 77'777)));
        rest.remove_prefix(std::min<std::size_t>(77'777, rest.size()));
      }
      return Ok();
    };
  }
  Result<std::vector<InputParts>> Measure(std::uint64_t max_bytes) {
    return MeasureInputs(Run().effective(), Reader(), max_bytes, ever_);
  }

  const run::Patience ever_{.stop = {}, .deadline = Deadline::Never()};
  std::map<std::string, std::string> inputs_;
  const Json job_ =
      Json::parse(R"({"metadata":{"name":"tw-aaaaaaaaaaaaaaaaaaaaaaaaaa","uid":"u-1"}})");
};

TEST_F(InputSecretsTest, PartsTogetherAreTheArchives) {
  inputs_ = {{"a", std::string(kPartBytes * 2 + 1, 'a')}, {"b", std::string(kPartBytes, 'b')}};
  const auto measured = Measure(1 << 30);
  ASSERT_TRUE(measured.has_value());
  EXPECT_EQ((*measured)[0].parts, 3U);
  EXPECT_EQ((*measured)[1].parts, 1U);
  std::vector<std::string> parts;
  ASSERT_TRUE(
      ForEachPart(*measured, Reader(), ever_, [&](std::size_t number, std::string_view bytes) {
        EXPECT_EQ(number, parts.size());
        parts.emplace_back(bytes);
        return Ok();
      }).has_value());
  ASSERT_EQ(parts.size(), 4U);
  EXPECT_EQ(parts[0] + parts[1] + parts[2], inputs_["a"]);
  EXPECT_EQ(parts[3], inputs_["b"]);
  for (const std::string& part : parts) EXPECT_LE(part.size(), kPartBytes);
}

TEST_F(InputSecretsTest, BudgetIsOfAllArchivesTogether) {
  inputs_ = {{"a", std::string(600, 'a')}, {"b", std::string(400, 'b')}};
  EXPECT_TRUE(Measure(1000).has_value());
  const auto refused = Measure(999);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().Reason(), "INPUT_TOO_LARGE");
  EXPECT_EQ(refused.error().code, ErrorCode::kResourceExhausted);
  EXPECT_THAT(refused.error().message, HasSubstr("more than 999 bytes (max_input_bytes"));
}

TEST_F(InputSecretsTest, InputThatHasChangedIsNotSent) {
  inputs_ = {{"a", std::string(kPartBytes + 1, 'a')}};
  const auto measured = Measure(1 << 30);
  inputs_["a"].resize(10);
  const auto sent =
      ForEachPart(*measured, Reader(), ever_, [](std::size_t, std::string_view) { return Ok(); });
  ASSERT_FALSE(sent.has_value());
  EXPECT_EQ(sent.error().Reason(), "INPUT_FAILED");
}

TEST_F(InputSecretsTest, RefusalOfAPartEndsIt) {
  inputs_ = {{"a", std::string(kPartBytes * 3, 'a')}};
  int asked = 0;
  const auto sent = ForEachPart(*Measure(1 << 30), Reader(), ever_,
                                [&](std::size_t, std::string_view) -> Result<void> {
                                  ++asked;
                                  return Fail(ErrorCode::kUnavailable, "no", "QUOTA_EXCEEDED");
                                });
  EXPECT_EQ(sent.error().Reason(), "QUOTA_EXCEEDED");
  EXPECT_EQ(asked, 1);
}

TEST_F(InputSecretsTest, SecretIsTheJobsAndCannotBeChanged) {
  const policy::AdmittedRun admitted = AdmittedOf(FullSpec());
  const ObjectLabels labels = LabelsOf(kBrokerId, kRunId, "validator", admitted.effective());
  const Json body = SecretBody(kRunId, labels, 7, std::string("\0\xff", 2), job_);
  EXPECT_EQ(At(body, {"metadata", "name"}), kName + "-7");
  EXPECT_EQ(At(body, {"metadata", "labels"}), Json(labels.labels));
  EXPECT_EQ(At(body, {"data", "part"}), "AP8=");
  EXPECT_EQ(body.at("immutable"), true);
  const Json& owner = At(body, {"metadata", "ownerReferences"}).at(0);
  EXPECT_EQ(owner.at("kind"), "Job");
  EXPECT_EQ(owner.at("uid"), "u-1");
  EXPECT_EQ(owner.at("blockOwnerDeletion"), true);
}

TEST_F(InputSecretsTest, SecretThatAWebhookChangedIsRefused) {
  const Json body = SecretBody(kRunId, {}, 0, "abc", job_);
  Json made = body;
  made["metadata"]["uid"] = "u-2";
  EXPECT_TRUE(CheckSecret(body, made).has_value());
  for (const char* field : {"data", "type", "immutable"}) {
    Json changed = made;
    changed.erase(field);
    const auto checked = CheckSecret(body, changed);
    ASSERT_FALSE(checked.has_value()) << field;
    EXPECT_EQ(checked.error().Reason(), "ENGINE_DIFFERS");
    EXPECT_THAT(checked.error().message, HasSubstr(field));
  }
}

}  // namespace
}  // namespace tidewaiter::kubernetes
