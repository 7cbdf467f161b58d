#include "audit/filter.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "audit/record.h"

namespace tidewaiter::audit {
namespace {

const std::string kDigest = "sha256:" + std::string(64, 'a');

std::string Line(const Record& record) {
  std::string line;
  EncodedRecord(record, "boot", "broker").AppendTo(line, 0);
  line.pop_back();
  return line;
}

bool Matches(const Filter& filter, const std::string& line) {
  return Matcher(filter).Matches(ReadHeader(line).value(), line);
}

bool Matches(const Filter& filter, const Record& record) {
  return Matches(filter, Line(record));
}

Record Denied(const std::string& rule) {
  Record record;
  record.type = RecordType::kRunDenied;
  record.violations = {{.rule = "process.user", .field = {}, .message = rule, .remedy = {}},
                       {.rule = rule, .field = {}, .message = {}, .remedy = {}}};
  return record;
}

Record Finished(const std::string& kind, std::int64_t exit_code = 0) {
  Record record;
  record.type = RecordType::kRunFinished;
  record.outcome = Record::Outcome{
      .kind = kind, .reason = {}, .exit_code = exit_code, .oom_killed = false, .duration_ms = 1};
  return record;
}

TEST(Filter, ATenantIsFoundByEachOfItsNames) {
  Record record;
  record.tenant = Record::Tenant{.challenge = "c", .job = "42", .task = "t"};
  for (const char* name : {"c", "42", "t"}) EXPECT_TRUE(Matches({.tenant = name}, record)) << name;
  EXPECT_FALSE(Matches({.tenant = "4"}, record));
  EXPECT_FALSE(Matches({.tenant = "job"}, record)) << "the name of a member is no value";
  EXPECT_FALSE(Matches({.tenant = "42"}, Record()));
}

TEST(Filter, ANameMatchesEveryTagAndDigestOfIt) {
  for (const std::string& tail :
       std::vector<std::string>{"", ":1.4.0", "/sub", ":1.4.0@" + kDigest, "@" + kDigest}) {
    EXPECT_TRUE(ImageMatches("ghcr.io/acme/judge", "ghcr.io/acme/judge" + tail)) << tail;
    EXPECT_TRUE(ImageMatches("ghcr.io/acme", "ghcr.io/acme/judge" + tail)) << tail;
    EXPECT_TRUE(ImageMatches("ghcr.io/acme/", "ghcr.io/acme/judge" + tail)) << tail;
  }
}

TEST(Filter, ANameMatchesNoNameThatItOnlyBegins) {
  EXPECT_FALSE(ImageMatches("ghcr.io/acme/judge", "ghcr.io/acme/judge2:1"));
  EXPECT_FALSE(ImageMatches("ghcr.io/ac", "ghcr.io/acme/judge"));
  EXPECT_FALSE(ImageMatches("judge", "ghcr.io/acme/judge"));
  EXPECT_FALSE(ImageMatches("a:1.4", "a:1.4.0"));
  EXPECT_FALSE(ImageMatches("a", ""));
}

TEST(Filter, ADigestMatchesWithAndWithoutATag) {
  EXPECT_TRUE(ImageMatches("a@" + kDigest, "a:1@" + kDigest));
  EXPECT_TRUE(ImageMatches("a:1@" + kDigest, "a:1@" + kDigest));
  EXPECT_TRUE(ImageMatches(kDigest, "a:1@" + kDigest));
  EXPECT_FALSE(ImageMatches("a:2@" + kDigest, "a:1@" + kDigest));
  EXPECT_FALSE(ImageMatches("b@" + kDigest, "a:1@" + kDigest));
  EXPECT_FALSE(ImageMatches("a@" + kDigest, "a:1"));
  EXPECT_FALSE(ImageMatches("a@" + kDigest, "a@" + kDigest + "0"));
}

TEST(Filter, AnImageIsWhatWasAskedForOrWhatItWas) {
  Record record;
  record.requested_image = "busybox:1";
  record.image = "docker.io/library/busybox:1";
  record.resolved_digest = kDigest;
  record.image_id = "sha256:id";
  for (const std::string& image : {std::string("busybox"), std::string("docker.io/library"),
                                   kDigest, std::string("sha256:id")}) {
    EXPECT_TRUE(Matches({.image = image}, record)) << image;
  }
  EXPECT_FALSE(Matches({.image = "library/busybox"}, record));
}

TEST(Filter, AnImageIsComparedAsTheRecordHasIt) {
  Record record;
  record.requested_image = "user:password@registry.example/image:1";
  EXPECT_TRUE(Matches({.image = "user:password@registry.example/image:1"}, record));
}

TEST(Filter, AnOutcomeIsFoundInEitherCase) {
  EXPECT_TRUE(Matches({.outcome = "TIMED_OUT"}, Finished("TIMED_OUT")));
  EXPECT_TRUE(Matches({.outcome = "timed_out"}, Finished("TIMED_OUT")));
  EXPECT_FALSE(Matches({.outcome = "EXITED"}, Finished("TIMED_OUT")));
}

TEST(Filter, UnsuccessfulIsEveryEndButACodeOfZero) {
  const Filter filter{.outcome = "unsuccessful"};
  EXPECT_TRUE(Matches(filter, Finished("TIMED_OUT")));
  EXPECT_TRUE(Matches(filter, Finished("EXITED", 1)));
  EXPECT_FALSE(Matches(filter, Finished("EXITED", 0)));
  EXPECT_FALSE(Matches(filter, Record())) << "it has no outcome";
}

TEST(Filter, ARuleIsFoundBehindOthersAndOnlyAsARule) {
  EXPECT_TRUE(Matches({.rule = "image.tag-required"}, Denied("image.tag-required")));
  EXPECT_FALSE(Matches({.rule = "image.tag"}, Denied("image.tag-required")));
  Record record = Denied("other");
  record.violations[0].message = "image.tag-required";
  EXPECT_FALSE(Matches({.rule = "image.tag-required"}, record));
}

TEST(Filter, ATriedPolicysRuleIsAskedForByItself) {
  Record record;
  record.shadow.emplace().violations = Denied("image.tag-required").violations;
  EXPECT_TRUE(Matches({.shadow_rule = "image.tag-required"}, record));
  EXPECT_FALSE(Matches({.rule = "image.tag-required"}, record));
  EXPECT_FALSE(Matches({.shadow_rule = "image.tag-required"}, Denied("image.tag-required")));
}

TEST(Filter, ALineThatIsNoRecordDoesNotMatch) {
  const std::string line = R"({"index":0,"tenant":{"job":"42"},"time":"t","type":"x","y":z})";
  EXPECT_TRUE(Matches({}, line)) << "its header is whole";
  EXPECT_FALSE(Matches({.tenant = "42"}, line));
}

TEST(Filter, AnEndWithoutAnOutcomeIsNotUnsuccessful) {
  const std::string line =
      R"({"index":0,"outcome":{"exit_code":1},"time":"t","type":"run.finished"})";
  EXPECT_FALSE(Matches({.outcome = std::string(kUnsuccessful)}, line));
}

}  // namespace
}  // namespace tidewaiter::audit
