#include "client/commands/mount_flag.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "wire/spec_json.h"

namespace tidewaiter::cli {
namespace {

std::string Json(const Result<v1::Mount>& mount) {
  return mount ? wire::MessageToJson(*mount) : "error: " + mount.error().message;
}

TEST(MountFlag, ReadsABind) {
  EXPECT_EQ(Json(ParseMountFlag("type=bind,source=/data,target=/in,readonly")),
            R"({"target":"/in","readOnly":true,"bind":{"source":"/data"}})");
}

TEST(MountFlag, TakesDockersOtherNames) {
  EXPECT_EQ(Json(ParseMountFlag("src=/data,dst=/in,ro=false,type=bind")),
            R"({"target":"/in","bind":{"source":"/data"}})");
  EXPECT_EQ(Json(ParseMountFlag("type=bind,source=/data,destination=/in,readonly=true")),
            R"({"target":"/in","readOnly":true,"bind":{"source":"/data"}})");
}

TEST(MountFlag, IsAVolumeUnlessAnotherTypeIsNamed) {
  EXPECT_EQ(Json(ParseMountFlag("source=cache,target=/c")),
            R"({"target":"/c","volume":{"name":"cache"}})");
}

TEST(MountFlag, ReadsATmpfsWithItsSize) {
  EXPECT_EQ(Json(ParseMountFlag("type=tmpfs,target=/t,tmpfs-size=1m")),
            R"({"target":"/t","tmpfs":{"sizeBytes":"1048576"}})");
}

TEST(MountFlag, ReadsInputsAndOutputs) {
  EXPECT_EQ(Json(ParseMountFlag("type=input,source=code,target=/code")),
            R"({"target":"/code","input":{"name":"code"}})");
  EXPECT_EQ(Json(ParseMountFlag("type=output,source=out,target=/out")),
            R"({"target":"/out","output":{"name":"out"}})");
}

TEST(MountFlag, KeepsCommasInsideQuotes) {
  EXPECT_EQ(Json(ParseMountFlag(R"(type=bind,"source=/a,""b""",target=/c)")),
            R"({"target":"/c","bind":{"source":"/a,\"b\""}})");
}

TEST(MountFlag, RefusesWhatItDoesNotUnderstand) {
  for (const char* text :
       {"", "type=bind", "type=bind,target=/a", "type=bind,source=/a",
        "type=npipe,source=a,target=/b", "type=bind,source=/a,target=/b,bind-propagation=shared",
        "type=tmpfs,source=/a,target=/b", "type=bind,source=/a,target=/b,tmpfs-size=1m",
        "type=bind,source=/a,target=/b,readonly=maybe", "type=tmpfs,target=/a,tmpfs-size=much",
        R"(type=bind,"source=/a,target=/b)", R"(type=bind,"source=/a"x,target=/b)",
        R"(type=bind,sou"rce=/a,target=/b)"}) {
    EXPECT_FALSE(ParseMountFlag(text)) << text;
  }
}

TEST(VolumeFlag, ReadsBindsAndNames) {
  EXPECT_EQ(Json(ParseVolumeFlag("/data:/in:ro")),
            R"({"target":"/in","readOnly":true,"bind":{"source":"/data"}})");
  EXPECT_EQ(Json(ParseVolumeFlag("/data:/in")), R"({"target":"/in","bind":{"source":"/data"}})");
  EXPECT_EQ(Json(ParseVolumeFlag("cache:/c:rw")), R"({"target":"/c","volume":{"name":"cache"}})");
}

TEST(VolumeFlag, RefusesWhatItDoesNotUnderstand) {
  for (const char* text : {"", "/in", "/a:/b:z", "/a:/b:ro:x", ":/b", "/a:"}) {
    EXPECT_FALSE(ParseVolumeFlag(text)) << text;
  }
}

TEST(TmpfsFlag, ReadsTargetSizeAndMode) {
  EXPECT_EQ(Json(ParseTmpfsFlag("/t")), R"({"target":"/t","tmpfs":{}})");
  EXPECT_EQ(Json(ParseTmpfsFlag("/t:size=64m,noexec,ro")),
            R"({"target":"/t","readOnly":true,"tmpfs":{"sizeBytes":"67108864"}})");
}

TEST(TmpfsFlag, RefusesToLoosenWhatAlwaysHolds) {
  EXPECT_FALSE(ParseTmpfsFlag("/t:exec"));
  EXPECT_FALSE(ParseTmpfsFlag("/t:suid"));
  EXPECT_FALSE(ParseTmpfsFlag("/t:size="));
}

}  // namespace
}  // namespace tidewaiter::cli
