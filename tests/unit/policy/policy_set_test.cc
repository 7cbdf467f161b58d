#include "policy/policy_set.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "tests/support/project_file.h"
#include "tests/unit/policy/policy_fixture.h"

namespace tidewaiter::policy {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

std::string ReadSource(const std::string& path) {
  std::ifstream file(testing::ProjectFile(path), std::ios::binary);
  EXPECT_TRUE(file.is_open()) << path;
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

std::vector<std::string> Lines(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

TEST(PolicyFile, EmptyPolicyIsClosedAndProduction) {
  const auto set = LoadSet("version = 1");
  EXPECT_FALSE(set->development());
  const Rules& rules = set->Find("default")->rules();
  EXPECT_TRUE(rules.tag_must_be_semver);
  EXPECT_TRUE(rules.digest_required);
  EXPECT_TRUE(rules.verify_tag);
  EXPECT_TRUE(rules.images->empty());
  EXPECT_TRUE(rules.bind_sources->empty());
  EXPECT_TRUE(rules.capabilities.empty());
  EXPECT_FALSE(rules.allow_root);
  EXPECT_FALSE(rules.writable_binds);
  EXPECT_EQ(rules.network_modes, std::vector{NetworkMode::kNone});
}

TEST(PolicyFile, ExamplesLoad) {
  const auto production = LoadSet(ReadSource("policy/examples/production.toml"));
  ASSERT_NE(production, nullptr);
  EXPECT_FALSE(production->development());
  EXPECT_EQ(production->FindPrincipal("validator")->policy, "untrusted");
  const auto development = LoadSet(ReadSource("policy/examples/development.toml"));
  ASSERT_NE(development, nullptr);
  EXPECT_TRUE(development->development());
}

TEST(PolicyFile, HashIsSha256OfTheBytes) {
  const auto set = LoadSet("version = 1");
  EXPECT_EQ(set->hash(), "sha256:4eab33c0b9ba9ded10e2a046539031d60df90438efad3533d7ad16b6f61da112");
  EXPECT_EQ(set->Find("default")->hash(), set->hash());
  EXPECT_NE(LoadSet("version = 1 ")->hash(), set->hash());
}

TEST(PolicyFile, AllProblemsAreReportedInTheOrderOfTheFile) {
  const std::string error = LoadError(
      "version = 2\n"
      "mode = \"prod\"\n"
      "[limits.memory]\n"
      "maximum = 5\n"
      "max = \"8GB\"\n"
      "[mounts]\n"
      "allow = [\"relative\"]\n");
  const std::vector<std::string> lines = Lines(error);
  ASSERT_EQ(lines.size(), 5U) << error;
  EXPECT_THAT(lines[0], StartsWith("policy.toml:1:11: 'version' is 2: 1"));
  EXPECT_THAT(lines[1], StartsWith("policy.toml:2:8: 'mode' is 'prod'"));
  EXPECT_THAT(lines[2], StartsWith("policy.toml:4:1: unknown key 'limits.memory.maximum'"));
  EXPECT_THAT(lines[3], StartsWith("policy.toml:5:7: 'limits.memory.max'"));
  EXPECT_THAT(lines[4], StartsWith("policy.toml:7:10: 'mounts.allow[0]' is 'relative'"));
}

TEST(PolicyFile, DuplicatesAreReportedInOnePassWithEveryOtherKindOfProblem) {
  const std::string error = LoadError(
      "version = 1\n"
      "mode = \"production\"\n"
      "'mode' = \"development\"\n"
      "[limits.memory]\n"
      "default = \"4GiB\"\n"
      "max = \"2GiB\"\n"
      "[limits.memory]\n"
      "max = \"8GiB\"\n"
      "maximum = 1\n"
      "[limits]\n"
      "pids = { max = 5, max = 6, default = \"x\" }\n"
      "[[images.allow]]\n"
      "repository = \"ghcr.io/team/*\"\n"
      "[images.allow]\n"
      "repository = \"ghcr.io/other/*\"\n"
      "[[principal]]\n"
      "name = \"a\"\n"
      "uid = 1\n"
      "uid = 2\n"
      "roles = \"run\"\n");
  const std::vector<std::string> lines = Lines(error);
  ASSERT_EQ(lines.size(), 9U) << error;
  EXPECT_THAT(lines[0], StartsWith("policy.toml:3:1: duplicate key 'mode', first in line 2: "));
  EXPECT_THAT(lines[1], StartsWith("policy.toml:5:11: 'limits.memory.default' is 4GiB: at most"));
  EXPECT_THAT(lines[2], StartsWith("policy.toml:7:1: duplicate table [limits.memory], first in "));
  EXPECT_THAT(lines[3], StartsWith("policy.toml:9:1: unknown key 'limits.memory.maximum': "));
  EXPECT_THAT(lines[4], StartsWith("policy.toml:11:19: duplicate key 'limits.pids.max', first in"));
  EXPECT_THAT(lines[5], StartsWith("policy.toml:11:38: 'limits.pids.default' is not readable: "));
  EXPECT_THAT(lines[6], StartsWith("policy.toml:14:1: [images.allow] redefines the array of tab"));
  EXPECT_THAT(lines[7], StartsWith("policy.toml:19:1: duplicate key 'principal[0].uid', first i"));
  EXPECT_THAT(lines[8], StartsWith("policy.toml:20:9: 'principal[0].roles' is a string: "));
}

TEST(PolicyFile, UnknownKeysAreProblemsEverywhere) {
  for (const char* more : {"[image]\n", "[images]\nallow_all = true\n", "[limits.swap]\nmax = 1\n",
                           "[network]\nmode = 1\n", "[user]\nroot = true\n",
                           "[[principal]]\nname=\"a\"\nuid=1\nroles=[\"run\"]\ngid=1\n",
                           "[policy.x]\ninherits=\"default\"\nmode=\"development\"\n"}) {
    EXPECT_THAT(LoadError(std::string("version = 1\n") + more), HasSubstr("unknown key")) << more;
  }
}

TEST(PolicyFile, VersionIsRequired) {
  EXPECT_THAT(LoadError(""), HasSubstr("'version' is missing"));
}

TEST(PolicyFile, ProductionRefusesDevelopmentSettings) {
  EXPECT_THAT(LoadError("version = 1\n[images]\ntag = \"any\"\n"), HasSubstr("'images.tag'"));
  EXPECT_THAT(LoadError("version = 1\n[images]\ndigest = \"optional\"\n"),
              HasSubstr("'images.digest'"));
  EXPECT_THAT(LoadError("version = 1\n[[images.allow]]\nrepository = \"ghcr.io/**\"\n"),
              HasSubstr("literal"));
}

TEST(PolicyFile, BadEntriesAreRefused) {
  const auto entry = [](const std::string& text) {
    return LoadError("version = 1\n[[images.allow]]\n" + text);
  };
  EXPECT_THAT(entry("versions = \"1.x\"\n"), HasSubstr("'images.allow[0].repository' is missing"));
  EXPECT_THAT(entry("repository = \"\"\n"), HasSubstr("empty"));
  EXPECT_THAT(entry("repository = \"ghcr.io/a/b\"\nversions = \"latest\"\n"),
              HasSubstr("policy.toml:4:12: parse version range 'latest'"));
  EXPECT_THAT(entry("repository = \"ghcr.io/a/b\"\ndigests = [\"sha256:1\"]\n"),
              HasSubstr("'images.allow[0].digests[0]'"));
}

TEST(PolicyFile, LimitsAreChecked) {
  const auto limit = [](const std::string& text) { return LoadError("version = 1\n" + text); };
  EXPECT_THAT(limit("[limits.memory]\ndefault = \"4GiB\"\nmax = \"2GiB\"\n"),
              HasSubstr("at most the maximum, 2GiB"));
  EXPECT_THAT(limit("[limits.memory]\ndefault = \"16GiB\"\n"),
              HasSubstr("at most the maximum, 8GiB"));
  EXPECT_THAT(limit("[limits.memory]\nmax = 0\n"), HasSubstr("between 6MiB and"));
  EXPECT_THAT(limit("[limits.memory]\nmax = -1\n"), HasSubstr("between"));
  EXPECT_THAT(limit("[limits.memory]\nmax = true\n"), HasSubstr("not readable"));
  EXPECT_THAT(limit("[limits.cpus]\nmax = 0.0001\n"), HasSubstr("not readable"));
  EXPECT_THAT(limit("[limits.cpus]\nmax = nan\n"), HasSubstr("not readable"));
  EXPECT_THAT(limit("[limits.timeout]\nmax = 15\n"), HasSubstr("a duration such as"));
  EXPECT_THAT(limit("[limits.pids]\nmax = \"512\"\n"), HasSubstr("a whole number"));
  EXPECT_THAT(limit("[limits.timeout]\nmax = 1970-01-01\n"), HasSubstr("a number or a string"));
}

TEST(PolicyFile, NumbersAreWhatWasWrittenOrAProblemAtTheirPlace) {
  for (const char* cpus : {"inf",
                           "+inf",
                           "-inf",
                           "nan",
                           "-nan",
                           "1e309",
                           "-1e309",
                           "-0.0",
                           "0",
                           "0.0",
                           "0.0001",
                           "0.0100004",
                           "1.0005",
                           "1.00000001",
                           "1e300",
                           "9223372036854775807",
                           "9223372036854775808",
                           "-1",
                           "0x",
                           "1__0",
                           "01",
                           "\"1e0\"",
                           "\"inf\"",
                           "\"0x1\"",
                           "\"-1\"",
                           "true",
                           "[1]",
                           "1979-05-27"}) {
    EXPECT_THAT(LoadError("version = 1\n[limits.cpus]\nmax = " + std::string(cpus) + "\n"),
                StartsWith("policy.toml:3:"))
        << cpus;
  }
  for (const char* pids : {"1.0", "1e2", "inf", "nan", "0", "-0", "-1", "0x400001", "\"1\"",
                           "9223372036854775808", "0b2", "0o8", "1_", "_1"}) {
    EXPECT_THAT(LoadError("version = 1\n[limits.pids]\nmax = " + std::string(pids) + "\n"),
                StartsWith("policy.toml:3:"))
        << pids;
  }
  for (const char* timeout : {"\"0s\"", "\"-1s\"", "\"0.0001s\"", "\"1e3s\"",
                              "\"9223372036854775807h\"", "\"315576000001s\"", "60", "1.5"}) {
    EXPECT_THAT(LoadError("version = 1\n[limits.timeout]\nmax = " + std::string(timeout) + "\n"),
                StartsWith("policy.toml:3:"))
        << timeout;
  }
  const auto set = LoadSet(
      "version = 1\n[limits]\nmemory = {max = 0x8000_0000}\npids = {max = 0o777, default = 0b1}\n"
      "cpus = {max = 2.675, default = 1e-1}\nopen_files = {max = 1_024}\n");
  ASSERT_NE(set, nullptr);
  const LimitRules& limits = set->Find("default")->rules().limits;
  EXPECT_EQ(limits[0].max, std::int64_t{1} << 31);
  EXPECT_EQ(limits[1], (LimitRule{100, 2675}));
  EXPECT_EQ(limits[2], (LimitRule{1, 511}));
  EXPECT_EQ(limits[6].max, 1024);
}

TEST(PolicyFile, LimitsTakeTheirForms) {
  const auto set = LoadSet(
      "version = 1\n[limits]\nmemory = { default = 1073741824, max = \"2GiB\" }\n"
      "cpus = { default = \"0.25\", max = 2.5 }\npids = { max = 100 }\n"
      "timeout = { default = \"1m30s\", max = \"1h\" }\n");
  const LimitRules& limits = set->Find("default")->rules().limits;
  EXPECT_EQ(limits[0], (LimitRule{1073741824, 2147483648}));
  EXPECT_EQ(limits[1], (LimitRule{250, 2500}));
  EXPECT_EQ(limits[2], (LimitRule{100, 100}));
  EXPECT_EQ(limits[3], (LimitRule{90000, 3600000}));
}

TEST(PolicyFile, PoliciesAreReadParentsFirstInAnyOrderOfTheFile) {
  std::string toml = "version = 1\n";
  const int last = static_cast<int>(PolicySet::kMaxNamed);
  for (int i = 1; i <= last; ++i) {
    toml += fmt::format("[policy.p{}]\ninherits = \"{}\"\nlimits.pids.max = {}\n", i,
                        i == last ? "default" : fmt::format("p{}", i + 1), 10 + i);
  }
  const auto set = LoadSet(toml);
  ASSERT_NE(set, nullptr);
  for (int i = 1; i <= last; ++i) {
    ASSERT_EQ(set->Find(fmt::format("p{}", i))->rules().limits[2].max, 10 + i);
  }
}

TEST(PolicyFile, OnePolicyTooManyIsAProblemAtItsPlace) {
  std::string toml = "version = 1\n";
  for (std::size_t i = 0; i <= PolicySet::kMaxNamed; ++i) {
    toml += fmt::format("[policy.p{:03}]\ninherits = \"default\"\n", i);
  }
  EXPECT_EQ(LoadError(toml), "policy.toml:514:1: 257 policies: at most 256 besides 'default'");
}

TEST(PolicyFile, EachPolicyOfACircleIsAProblem) {
  EXPECT_EQ(LoadError("version = 1\n[policy.a]\ninherits = \"b\"\n[policy.b]\n"
                      "inherits = \"a\"\n[policy.c]\ninherits = \"a\"\n[policy.d]\n"
                      "inherits = \"d\"\n"),
            "policy.toml:3:12: policy 'a' inherits from itself: \"default\" or a policy of this "
            "file\n"
            "policy.toml:5:12: policy 'b' inherits from itself: \"default\" or a policy of this "
            "file\n"
            "policy.toml:7:12: policy 'c' inherits from itself: \"default\" or a policy of this "
            "file\n"
            "policy.toml:9:12: policy 'd' inherits from itself: \"default\" or a policy of this "
            "file");
}

TEST(PolicyFile, APolicySharesWhatItInheritsUnchanged) {
  const auto set =
      LoadSet(Toml("[mounts]\nallow = [\"/srv\"]\n[policy.a]\ninherits = "
                   "\"default\"\n[policy.b]\ninherits = \"a\"\n"));
  ASSERT_NE(set, nullptr);
  const Rules& rules = set->Find("default")->rules();
  const Rules& child = set->Find("b")->rules();
  EXPECT_EQ(&*child.images, &*rules.images);
  EXPECT_EQ(&*child.bind_sources, &*rules.bind_sources);
  EXPECT_EQ(&*child.runtimes, &*rules.runtimes);
  EXPECT_EQ(&*child.seccomp_profiles, &*rules.seccomp_profiles);
}

TEST(PolicyFile, ForbiddenBindSourcesCannotBeAllowed) {
  for (const char* path :
       {"/", "/etc", "/var", "/run/docker.sock", "/var/lib/docker/x", "/srv/", "/srv/../etc"}) {
    EXPECT_THAT(LoadError(std::string("version = 1\n[mounts]\nallow = [\"") + path + "\"]\n"),
                HasSubstr("'mounts.allow[0]'"))
        << path;
  }
}

TEST(PolicyFile, BadGrantsAreRefused) {
  EXPECT_THAT(LoadError("version = 1\n[network]\nmodes = [\"host\"]\n"),
              HasSubstr("one of none, isolated, bridge"));
  EXPECT_THAT(LoadError("version = 1\n[network]\nmodes = []\n"), HasSubstr("at least one"));
  EXPECT_THAT(LoadError("version = 1\n[capabilities]\nallow = [\"ALL\"]\n"),
              HasSubstr("one Linux capability"));
  EXPECT_THAT(LoadError("version = 1\n[seccomp]\nallow = [\"unconfined\"]\n"),
              HasSubstr("not \"unconfined\""));
  EXPECT_THAT(LoadError("version = 1\n[runtimes]\nallow = [\"/bin/sh\"]\n"),
              HasSubstr("'runtimes.allow[0]'"));
}

TEST(Principals, AreFoundByUidAndName) {
  const auto set = LoadSet(
      "version = 1\n[[principal]]\nname = \"a\"\nuid = 990\nroles = [\"run\", \"audit\"]\n");
  ASSERT_NE(set->FindPrincipal(uid_t{990}), nullptr);
  EXPECT_EQ(set->FindPrincipal(uid_t{990})->name, "a");
  EXPECT_EQ(set->FindPrincipal(uid_t{990})->roles, (Roles{true, false, true}));
  EXPECT_EQ(set->FindPrincipal("a")->policy, "default");
  EXPECT_EQ(set->FindPrincipal(uid_t{0}), nullptr);
  EXPECT_EQ(set->FindPrincipal("b"), nullptr);
}

TEST(Principals, MistakesAreRefused) {
  const auto principal = [](const std::string& text) {
    return LoadError("version = 1\n[[principal]]\n" + text);
  };
  EXPECT_THAT(principal("uid = 1\nroles = [\"run\"]\n"), HasSubstr("name' is missing"));
  EXPECT_THAT(principal("name = \"a\"\nroles = [\"run\"]\n"), HasSubstr("uid' is missing"));
  EXPECT_THAT(principal("name = \"a\"\nuid = 1\n"), HasSubstr("roles' is missing"));
  EXPECT_THAT(principal("name = \"a\"\nuid = 1\nroles = []\n"), HasSubstr("at least one"));
  EXPECT_THAT(principal("name = \"a\"\nuid = 1\nroles = [\"root\"]\n"), HasSubstr("one of run"));
  EXPECT_THAT(principal("name = \"a\"\nuid = -1\nroles = [\"run\"]\n"), HasSubstr("between 0"));
  EXPECT_THAT(principal("name = \"a\"\nuid = 4294967295\nroles = [\"run\"]\n"),
              HasSubstr("between 0"));
  EXPECT_THAT(principal("name = \"a b\"\nuid = 1\nroles = [\"run\"]\n"), HasSubstr("letters"));
  EXPECT_THAT(principal("name = \"a\"\nuid = 1\nroles = [\"run\"]\npolicy = \"x\"\n"),
              HasSubstr("\"default\" or a policy of this file"));
}

TEST(Principals, NamesAndUidsAreUnique) {
  const std::string one = "[[principal]]\nname = \"a\"\nuid = 1\nroles = [\"run\"]\n";
  EXPECT_THAT(LoadError("version = 1\n" + one +
                        "[[principal]]\nname = \"a\"\nuid = 2\nroles = [\"run\"]\n"),
              HasSubstr("a second time"));
  EXPECT_THAT(LoadError("version = 1\n" + one +
                        "[[principal]]\nname = \"b\"\nuid = 1\nroles = [\"run\"]\n"),
              HasSubstr("one uid, one principal"));
}

}  // namespace
}  // namespace tidewaiter::policy
