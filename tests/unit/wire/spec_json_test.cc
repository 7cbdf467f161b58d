#include "wire/spec_json.h"

#include <gtest/gtest.h>

#include <string>

namespace tidewaiter::wire {
namespace {

policy::Violation FaultOf(const std::string& json) {
  const auto spec = ParseSpecJson(json);
  EXPECT_FALSE(spec.has_value()) << json;
  return spec ? policy::Violation{} : spec.error();
}

TEST(SpecJson, ReadsEveryShapeOfField) {
  const auto spec = ParseSpecJson(R"({"image": "a:1", "command": ["x", "y"], "env": {"A": "1"},
      "limits": {"memoryBytes": "1073741824", "cpus": 0.5, "timeout": "900s"},
      "network": {"mode": "NONE"}, "mounts": [{"target": "/a", "bind": {"source": "/b"}}],
      "readOnlyRootfs": false})");
  ASSERT_TRUE(spec.has_value()) << spec.error().message;
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
  FaultOf(R"({"mounts": [{"target": "/a", "bind": {"source": "/b"}, "volume": {"name": "v"}}]})");
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
  FaultOf(R"({"network": {"mode": "HOST"}})");
}

TEST(SpecJson, WhatIsNoJsonIsAnError) {
  for (const char* text : {"", "{", "{\"image\": 'a'}", "{\"image\": \"a\",}", "{} {}", "// x\n{}",
                           "{image: \"a\"}", "{\"limits\": {\"cpus\": NaN}}",
                           "{\"image\": \"\xff\"}", "{\"limits\": {\"cpus\": 1e999}}"}) {
    EXPECT_EQ(FaultOf(text).rule, "spec.syntax") << text;
  }
}

TEST(SpecJson, DepthAndSizeAreBounded) {
  EXPECT_EQ(FaultOf("{\"command\":" + std::string(100'000, '[')).rule, "spec.wrong-type");
  std::string deep = "{";
  for (int i = 0; i < 40; ++i) deep += "\"limits\":{";
  EXPECT_EQ(FaultOf(deep).rule, "spec.unknown-field");
  EXPECT_EQ(FaultOf(std::string(kMaxSpecJsonBytes + 1, ' ')).rule, "spec.too-large");
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
