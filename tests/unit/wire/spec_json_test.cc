#include "wire/spec_json.h"

#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

namespace tidewaiter::wire {
namespace {

std::vector<policy::Violation> FaultsOf(const std::string& json) {
  const auto spec = ParseSpecJson(json);
  EXPECT_FALSE(spec.has_value()) << json;
  return spec ? std::vector<policy::Violation>() : spec.error().list;
}

// The only fault of the text.
policy::Violation FaultOf(const std::string& json) {
  const auto faults = FaultsOf(json);
  EXPECT_EQ(faults.size(), 1U) << json;
  return faults.empty() ? policy::Violation{} : faults.front();
}

std::vector<std::string> Fields(const std::vector<policy::Violation>& faults) {
  std::vector<std::string> fields;
  for (const policy::Violation& fault : faults) fields.push_back(fault.field);
  return fields;
}

TEST(SpecJson, ReadsEveryShapeOfField) {
  const auto spec = ParseSpecJson(R"({"image": "a:1", "command": ["x", "y"], "env": {"A": "1"},
      "limits": {"memoryBytes": "1073741824", "cpus": 0.5, "timeout": "900s"},
      "network": {"mode": "NONE"}, "mounts": [{"target": "/a", "bind": {"source": "/b"}}],
      "readOnlyRootfs": false})");
  ASSERT_TRUE(spec.has_value()) << spec.error().list.front().message;
  EXPECT_EQ(spec->limits().memory_bytes(), 1073741824);
  EXPECT_EQ(spec->limits().timeout().seconds(), 900);
  EXPECT_EQ(spec->env().at("A"), "1");
  EXPECT_EQ(spec->mounts(0).bind().source(), "/b");
  EXPECT_TRUE(spec->has_read_only_rootfs());
}

TEST(SpecJson, UnknownFieldIsNamedByItsPath) {
  EXPECT_EQ(FaultOf(R"({"imagee": "a"})").field, "imagee");
  EXPECT_EQ(FaultOf(R"({"limits": {"memory": 1}})").field, "limits.memory");
  EXPECT_EQ(FaultOf(R"({"mounts": [{}, {"bind": {"sorce": "/a"}}]})").field,
            "mounts[1].bind.sorce");
  EXPECT_EQ(FaultOf(R"({"privileged": true})").rule, "spec.unknown-field");
}

TEST(SpecJson, DuplicateKeyIsAnError) {
  const policy::Violation fault = FaultOf(R"({"image": "good", "image": "evil"})");
  EXPECT_EQ(fault.rule, "spec.duplicate-field");
  EXPECT_EQ(fault.field, "image");
  EXPECT_EQ(FaultOf(R"({"limits": {"pids": 1, "pids": 2}})").field, "limits.pids");
  EXPECT_EQ(FaultOf(R"({"env": {"A": "1", "A": "2"}})").rule, "spec.duplicate-field");
}

TEST(SpecJson, BothSpellingsOfAFieldAreADuplicate) {
  const policy::Violation fault = FaultOf(R"({"read_only_rootfs": true, "readOnlyRootfs": false})");
  EXPECT_EQ(fault.rule, "spec.duplicate-field");
  EXPECT_EQ(fault.field, "readOnlyRootfs");
}

TEST(SpecJson, TwoSourcesOfAMountAreAnError) {
  const policy::Violation fault =
      FaultOf(R"({"mounts": [{}, {"bind": {"source": "/b"}, "volume": {"name": "v"}}]})");
  EXPECT_EQ(fault.rule, "spec.wrong-type");
  EXPECT_EQ(fault.field, "mounts[1]");
}

TEST(SpecJson, EscapedKeyIsTheSameKey) {
  EXPECT_EQ(FaultOf("{\"image\": \"a\", \"im\\u0061ge\": \"b\"}").rule, "spec.duplicate-field");
}

TEST(SpecJson, WrongTypeIsAnError) {
  EXPECT_EQ(FaultOf(R"({"limits": {"memoryBytes": 1.5}})").rule, "spec.wrong-type");
  EXPECT_EQ(FaultOf(R"({"image": ["a"]})").field, "image");
  EXPECT_EQ(FaultOf(R"({"image": {"a": 1}})").field, "image");
  EXPECT_EQ(FaultOf(R"({"command": [["a"]]})").field, "command[0]");
  EXPECT_EQ(FaultOf(R"([])").rule, "spec.wrong-type");
  EXPECT_EQ(FaultOf(R"("x")").rule, "spec.wrong-type");
}

struct WrongType {
  const char* name;
  const char* json;
  const char* field;
};

class SpecJsonOfWrongType : public testing::TestWithParam<WrongType> {};

TEST_P(SpecJsonOfWrongType, IsRefusedByItsPath) {
  const policy::Violation fault = FaultOf(GetParam().json);
  EXPECT_EQ(fault.rule, "spec.wrong-type");
  EXPECT_EQ(fault.field, GetParam().field);
}

std::string NameOf(const testing::TestParamInfo<WrongType>& info) {
  return info.param.name;
}

INSTANTIATE_TEST_SUITE_P(
    Boolean, SpecJsonOfWrongType,
    testing::Values(
        WrongType{"Text", R"({"readOnlyRootfs": "false"})", "readOnlyRootfs"},
        WrongType{"Number", R"({"readOnlyRootfs": 0})", "readOnlyRootfs"},
        WrongType{"OtherSpelling", R"({"read_only_rootfs": "false"})", "readOnlyRootfs"},
        WrongType{"InMount", R"({"mounts": [{}, {"readOnly": "true"}]})", "mounts[1].readOnly"}),
    NameOf);

INSTANTIATE_TEST_SUITE_P(String, SpecJsonOfWrongType,
                         testing::Values(WrongType{"Number", R"({"image": 7})", "image"},
                                         WrongType{"Boolean", R"({"user": false})", "user"},
                                         WrongType{"InMount",
                                                   R"({"mounts": [{}, {"bind": {"source": 1}}]})",
                                                   "mounts[1].bind.source"}),
                         NameOf);

INSTANTIATE_TEST_SUITE_P(
    List, SpecJsonOfWrongType,
    testing::Values(WrongType{"Text", R"({"command": "x"})", "command"},
                    WrongType{"Object", R"({"mounts": {"target": "/a"}})", "mounts"},
                    WrongType{"Null", R"({"mounts": null})", "mounts"},
                    WrongType{"NullElement", R"({"command": [null, "a"]})", "command[0]"},
                    WrongType{"NullObject", R"({"mounts": [{}, null]})", "mounts[1]"},
                    WrongType{"PlainObject", R"({"mounts": ["/a"]})", "mounts[0]"},
                    WrongType{"NumberElement", R"({"command": ["a", 1]})", "command[1]"}),
    NameOf);

INSTANTIATE_TEST_SUITE_P(
    Map, SpecJsonOfWrongType,
    testing::Values(WrongType{"NullValue", R"({"env": {"A": null}})", "env['A']"},
                    WrongType{"NumberValue", R"({"env": {"A": 1}})", "env['A']"},
                    WrongType{"ObjectValue", R"({"env": {"A": {}}})", "env['A']"},
                    WrongType{"ListValue", R"({"env": {"A": ["b"]}})", "env['A']"},
                    WrongType{"List", R"({"env": ["A=b"]})", "env"},
                    WrongType{"Text", R"({"labels": "a=b"})", "labels"},
                    WrongType{"Null", R"({"env": null})", "env"}),
    NameOf);

INSTANTIATE_TEST_SUITE_P(Message, SpecJsonOfWrongType,
                         testing::Values(WrongType{"Text", R"({"limits": "x"})", "limits"},
                                         WrongType{"List", R"({"limits": [{}]})", "limits"},
                                         WrongType{"OfAMount", R"({"mounts": [{"bind": "/a"}]})",
                                                   "mounts[0].bind"}),
                         NameOf);

INSTANTIATE_TEST_SUITE_P(
    WholeNumber, SpecJsonOfWrongType,
    testing::Values(
        WrongType{"Fraction", R"({"limits": {"pids": 1.5}})", "limits.pids"},
        WrongType{"ZeroFraction", R"({"limits": {"pids": 1.0}})", "limits.pids"},
        WrongType{"Boolean", R"({"limits": {"pids": true}})", "limits.pids"},
        WrongType{"Unit", R"({"limits": {"memory_bytes": "1g"}})", "limits.memoryBytes"},
        WrongType{"Exponent", R"({"limits": {"pids": 1e3}})", "limits.pids"},
        WrongType{"ExponentInText", R"({"limits": {"pids": "1e3"}})", "limits.pids"},
        WrongType{"NegativeZeroFraction", R"({"limits": {"pids": -0.0}})", "limits.pids"},
        WrongType{"BeyondADouble", R"({"limits": {"pids": 1e309}})", "limits.pids"},
        WrongType{"BelowADouble", R"({"limits": {"pids": -1e309}})", "limits.pids"},
        WrongType{"NotANumber", R"({"limits": {"pids": NaN}})", "limits.pids"},
        WrongType{"NotANumberInText", R"({"limits": {"pids": "NaN"}})", "limits.pids"},
        WrongType{"Infinite", R"({"limits": {"pids": -Infinity}})", "limits.pids"},
        WrongType{"BelowSigned", R"({"limits": {"pids": -9223372036854775809}})", "limits.pids"},
        WrongType{"OfALargeSize", R"({"mounts": [{"tmpfs": {"sizeBytes": 1e400}}]})",
                  "mounts[0].tmpfs.sizeBytes"},
        WrongType{"LeadingZeroInText", R"({"limits": {"pids": "012"}})", "limits.pids"},
        WrongType{"PlusInText", R"({"limits": {"pids": "+12"}})", "limits.pids"},
        WrongType{"HexadecimalText", R"({"limits": {"pids": "0x10"}})", "limits.pids"},
        WrongType{"Blank", R"({"limits": {"memoryBytes": ""}})", "limits.memoryBytes"},
        WrongType{"Spaced", R"({"limits": {"memoryBytes": " 1"}})", "limits.memoryBytes"},
        WrongType{"BeyondSigned", R"({"limits": {"memoryBytes": 9223372036854775808}})",
                  "limits.memoryBytes"},
        WrongType{"TextBeyondSigned", R"({"limits": {"memoryBytes": "9223372036854775808"}})",
                  "limits.memoryBytes"}),
    NameOf);

INSTANTIATE_TEST_SUITE_P(
    Number, SpecJsonOfWrongType,
    testing::Values(
        WrongType{"Boolean", R"({"limits": {"cpus": true}})", "limits.cpus"},
        WrongType{"Text", R"({"limits": {"cpus": "two"}})", "limits.cpus"},
        WrongType{"OtherSpellingOfNan", R"({"limits": {"cpus": "nan"}})", "limits.cpus"},
        WrongType{"OtherSpellingOfInfinity", R"({"limits": {"cpus": "inf"}})", "limits.cpus"},
        WrongType{"Hexadecimal", R"({"limits": {"cpus": "0x1"}})", "limits.cpus"},
        WrongType{"Underscore", R"({"limits": {"cpus": "1_0"}})", "limits.cpus"},
        WrongType{"Plus", R"({"limits": {"cpus": "+1"}})", "limits.cpus"},
        WrongType{"NoFraction", R"({"limits": {"cpus": "1."}})", "limits.cpus"},
        WrongType{"Spaced", R"({"limits": {"cpus": " 1"}})", "limits.cpus"},
        WrongType{"Blank", R"({"limits": {"cpus": ""}})", "limits.cpus"}),
    NameOf);

INSTANTIATE_TEST_SUITE_P(
    Duration, SpecJsonOfWrongType,
    testing::Values(
        WrongType{"Object", R"({"limits": {"timeout": {"seconds": 3}}})", "limits.timeout"},
        WrongType{"Number", R"({"limits": {"timeout": 3}})", "limits.timeout"},
        WrongType{"NoUnit", R"({"limits": {"timeout": "3"}})", "limits.timeout"},
        WrongType{"OtherUnit", R"({"limits": {"timeout": "3m"}})", "limits.timeout"},
        WrongType{"Blank", R"({"limits": {"timeout": ""}})", "limits.timeout"},
        WrongType{"UnitAlone", R"({"limits": {"timeout": "s"}})", "limits.timeout"},
        WrongType{"Spaced", R"({"limits": {"timeout": " 3s"}})", "limits.timeout"},
        WrongType{"Plus", R"({"limits": {"timeout": "+3s"}})", "limits.timeout"},
        WrongType{"Exponent", R"({"limits": {"timeout": "1e3s"}})", "limits.timeout"},
        WrongType{"NoDigit", R"({"limits": {"timeout": ".5s"}})", "limits.timeout"},
        WrongType{"NoFraction", R"({"limits": {"timeout": "1.s"}})", "limits.timeout"},
        WrongType{"BelowANano", R"({"limits": {"timeout": "1.0000000001s"}})", "limits.timeout"},
        WrongType{"NotANumber", R"({"limits": {"timeout": "NaNs"}})", "limits.timeout"},
        WrongType{"BeyondADuration", R"({"limits": {"timeout": "315576000001s"}})",
                  "limits.timeout"},
        WrongType{"BelowADuration", R"({"limits": {"timeout": "-315576000001s"}})",
                  "limits.timeout"},
        WrongType{"NanoBeyondADuration", R"({"limits": {"timeout": "315576000000.1s"}})",
                  "limits.timeout"},
        WrongType{"BeyondSigned", R"({"limits": {"timeout": "99999999999999999999s"}})",
                  "limits.timeout"}),
    NameOf);

INSTANTIATE_TEST_SUITE_P(
    Enum, SpecJsonOfWrongType,
    testing::Values(WrongType{"Fraction", R"({"network": {"mode": 1.0}})", "network.mode"},
                    WrongType{"UnknownNumber", R"({"network": {"mode": 7}})", "network.mode"},
                    WrongType{"HugeNumber", R"({"network": {"mode": 4294967297}})", "network.mode"},
                    WrongType{"UnknownName", R"({"network": {"mode": "HOST"}})", "network.mode"},
                    WrongType{"OtherCase", R"({"network": {"mode": "none"}})", "network.mode"},
                    WrongType{"Boolean", R"({"network": {"mode": true}})", "network.mode"}),
    NameOf);

TEST(SpecJson, NullLeavesASingularFieldAbsent) {
  const auto spec = ParseSpecJson(R"({"image": null, "network": null, "readOnlyRootfs": null,
      "limits": {"memoryBytes": null, "timeout": null}})");
  ASSERT_TRUE(spec.has_value()) << spec.error().list.front().message;
  EXPECT_FALSE(spec->has_network());
  EXPECT_FALSE(spec->has_read_only_rootfs());
  EXPECT_FALSE(spec->limits().has_memory_bytes());
  EXPECT_FALSE(spec->limits().has_timeout());
}

TEST(SpecJson, WholeNumberMayBeText) {
  const auto spec = ParseSpecJson(R"({"limits": {"pids": 9, "logBytes": "-9"}})");
  ASSERT_TRUE(spec.has_value()) << spec.error().list.front().message;
  EXPECT_EQ(spec->limits().pids(), 9);
  EXPECT_EQ(spec->limits().log_bytes(), -9);
}

TEST(SpecJson, NumberMayBeTextOrWhole) {
  for (const char* text : {"2", "2.0", "\"2\"", "\"2e0\""}) {
    const auto spec = ParseSpecJson(std::string(R"({"limits": {"cpus": )") + text + "}}");
    ASSERT_TRUE(spec.has_value()) << text;
    EXPECT_EQ(spec->limits().cpus(), 2.0) << text;
  }
}

TEST(SpecJson, NumberThatIsNotFiniteIsLeftToThePolicy) {
  for (const char* text : {"NaN", "Infinity", "-Infinity"}) {
    const auto spec = ParseSpecJson(std::string(R"({"limits": {"cpus": ")") + text + "\"}}");
    ASSERT_TRUE(spec.has_value()) << text;
    EXPECT_FALSE(std::isfinite(spec->limits().cpus())) << text;
  }
}

TEST(SpecJson, EnumMayBeItsKnownNumber) {
  const auto spec = ParseSpecJson(R"({"network": {"mode": 2}})");
  ASSERT_TRUE(spec.has_value()) << spec.error().list.front().message;
  EXPECT_EQ(spec->network().mode(), v1::Network::ISOLATED);
}

TEST(SpecJson, UnknownEnumValueIsAnsweredWithTheKnownOnes) {
  const policy::Violation fault = FaultOf(R"({"network": {"mode": 7}})");
  EXPECT_EQ(fault.message, "7 is no known value");
  EXPECT_EQ(fault.remedy, "one of MODE_UNSPECIFIED, NONE, ISOLATED, BRIDGE");
}

TEST(SpecJson, ElementAfterAnObjectHasTheNextIndex) {
  EXPECT_EQ(FaultOf(R"({"mounts": [{}, {}, {"target": 1}]})").field, "mounts[2].target");
}

TEST(SpecJson, WhatIsNoJsonIsAnError) {
  for (const char* text :
       {"", "{", "{\"image\": 'a'}", "{\"image\": \"a\",}", "{} {}", "// x\n{}", "{image: \"a\"}",
        "{\"image\": \"\xff\"}", "{\"limits\": {\"cpus\": 1.NaN}}",
        "{\"limits\": {\"cpus\": 0.0NaN}}", "{\"limits\": {\"cpus\": NaN5}}",
        "{\"limits\": {\"cpus\": 01}}", "{\"limits\": {\"cpus\": -}}"}) {
    EXPECT_EQ(FaultOf(text).rule, "spec.syntax") << text;
  }
}

TEST(SpecJson, EveryFaultIsToldInTheOrderOfTheText) {
  const auto faults = FaultsOf(R"({"imagee": {"a": [1, {}]}, "user": 7, "user": "1",
      "limits": {"pids": 1.5, "swap": 1, "cpus": NaN, "logBytes": [1]},
      "mounts": ["/a", {"target": 1, "bind": {"sorce": []}}, null, {"target": "/b", "target": {}}],
      "env": {"A": {}, "B": null}, "network": {"mode": "HOST"}, "command": {"a": 1}})");
  EXPECT_EQ(Fields(faults),
            (std::vector<std::string>{"imagee", "user", "user", "limits.pids", "limits.swap",
                                      "limits.logBytes", "mounts[0]", "mounts[1].target",
                                      "mounts[1].bind.sorce", "mounts[2]", "mounts[3].target",
                                      "env['A']", "env['B']", "network.mode", "command"}));
}

TEST(SpecJson, RestOfAFaultySpecIsReadAsItIs) {
  const auto spec = ParseSpecJson(R"({"image": "a:1", "limits": {"pids": 1.5, "logBytes": 7},
      "mounts": ["/a", {"target": "/b", "tmpfs": {}}], "command": ["a", 1, "b"]})");
  ASSERT_FALSE(spec.has_value());
  ASSERT_TRUE(spec.error().rest.has_value());
  const v1::RunSpec& rest = *spec.error().rest;
  EXPECT_EQ(rest.image(), "a:1");
  EXPECT_FALSE(rest.limits().has_pids());
  EXPECT_EQ(rest.limits().log_bytes(), 7);
  EXPECT_EQ(rest.mounts(1).target(), "/b");
  EXPECT_EQ(rest.command(2), "b");
}

TEST(SpecJson, FaultExplainsViolationsOfItsFieldAlone) {
  const auto spec = ParseSpecJson(R"({"imagee": 1, "limits": {"pids": 1.5}, "mounts": [1]})");
  ASSERT_FALSE(spec.has_value());
  EXPECT_TRUE(spec.error().Explain("limits.pids"));
  EXPECT_TRUE(spec.error().Explain("mounts[0].target"));
  EXPECT_FALSE(spec.error().Explain("limits.pidsX"));
  EXPECT_FALSE(spec.error().Explain("limits.cpus"));
  EXPECT_FALSE(spec.error().Explain("image"));
}

TEST(SpecJson, MountWithoutItsFaultySourceIsExplained) {
  const auto spec = ParseSpecJson(R"({"mounts": [{"target": "/a", "bind": "/b"}]})");
  ASSERT_FALSE(spec.has_value());
  EXPECT_TRUE(spec.error().Explain("mounts[0]"));
  EXPECT_FALSE(spec.error().Explain("mounts[1]"));
}

TEST(SpecJson, TextThatEndsEarlyHasNoRest) {
  const auto spec = ParseSpecJson(R"({"user": 7, "limits": {"cpus": )");
  ASSERT_FALSE(spec.has_value());
  EXPECT_FALSE(spec.error().rest.has_value());
  EXPECT_EQ(Fields(spec.error().list), (std::vector<std::string>{"user", "limits.cpus"}));
}

TEST(SpecJson, SyntaxErrorNamesItsByteBehindNumbersThatAreNone) {
  EXPECT_EQ(FaultOf(R"({"limits": {"cpus": NaN}, })").message,
            FaultOf(R"({"limits": {"cpus": 1.5}, })").message);
}

TEST(SpecJson, NumbersInTextsStayAsTheyAre) {
  const auto spec =
      ParseSpecJson(R"({"image": "NaN", "user": "-1e309 \" NaN", "env": {"NaN": "1e309"}})");
  ASSERT_TRUE(spec.has_value());
  EXPECT_EQ(spec->image(), "NaN");
  EXPECT_EQ(spec->user(), "-1e309 \" NaN");
  EXPECT_EQ(spec->env().at("NaN"), "1e309");
  EXPECT_EQ(FaultOf(R"({"image": NaN})").message, "a number, where a string belongs");
  EXPECT_EQ(FaultOf(R"({"env": {"A": 1e309}})").field, "env['A']");
}

TEST(SpecJson, DepthSizeAndFaultsAreBounded) {
  EXPECT_EQ(FaultsOf("{\"command\":" + std::string(100'000, '[')).back().rule, "spec.syntax");
  std::string deep = "{";
  for (int i = 0; i < 40; ++i) deep += "\"limits\":{";
  EXPECT_EQ(FaultsOf(deep).front().rule, "spec.unknown-field");
  EXPECT_EQ(FaultsOf(deep).back().rule, "spec.syntax");
  EXPECT_EQ(FaultOf(std::string(kMaxSpecJsonBytes + 1, ' ')).rule, "spec.too-large");
  std::string many = "{\"command\": [1";
  for (int i = 0; i < 10'000; ++i) many += ", 1";
  EXPECT_EQ(FaultsOf(many + "]}").size(), 100U);
}

TEST(SpecJson, PrintsOneLineThatReadsBack) {
  v1::RunSpec spec;
  spec.set_image("a:1");
  spec.mutable_limits()->set_memory_bytes(5);
  (*spec.mutable_env())["A"] = "line\nbreak";
  const std::string json = SpecToJson(spec);
  EXPECT_EQ(json.find('\n'), std::string::npos);
  EXPECT_NE(json.find("memoryBytes"), std::string::npos);
  const auto back = ParseSpecJson(json);
  ASSERT_TRUE(back.has_value());
  EXPECT_EQ(back->SerializeAsString(), spec.SerializeAsString());
}

}  // namespace
}  // namespace tidewaiter::wire
