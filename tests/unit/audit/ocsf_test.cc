#include "audit/ocsf.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>

#include "audit/ocsf_class.h"
#include "audit/record.h"
#include "tests/support/project_file.h"
#include "tests/unit/audit/scratch_folder.h"

namespace tidewaiter::audit {
namespace {

using nlohmann::json;

// The documentation's example of each type: those are real records.
std::map<std::string, std::string> Examples() {
  std::map<std::string, std::string> examples;
  for (const std::string& line : ReadLines(testing::ProjectFile("docs/AUDIT.md"))) {
    if (line.starts_with('{')) examples[json::parse(line)["type"]] = line;
  }
  return examples;
}

json Event(const std::string& type) {
  const auto event = ToOcsf(Examples().at(type));
  if (!event) ADD_FAILURE() << event.error().message;
  return event ? json::parse(*event) : json();
}

TEST(Ocsf, EveryTypeHasAClassOfItsOwn) {
  for (int i = 0; ToString(static_cast<RecordType>(i)) != "unknown"; ++i) {
    const std::string_view type = ToString(static_cast<RecordType>(i));
    EXPECT_EQ(OcsfClassOf(type).type, type);
    EXPECT_NE(OcsfClassOf(type).class_uid, kOcsfBase) << type;
  }
}

TEST(Ocsf, EveryEventHasWhatTheSchemaRequires) {
  const std::map<int, std::set<std::string>> of_class = {
      {kOcsfProcess, {"actor", "device", "process"}},
      {kOcsfEventLog, {"device", "log_name"}},
      {kOcsfLifecycle, {"app"}},
      {kOcsfApi, {"actor", "api", "src_endpoint"}},
      {kOcsfFileHosting, {"actor", "file", "src_endpoint"}},
      {kOcsfError, {}}};
  for (const auto& [type, line] : Examples()) {
    const json event = Event(type);
    for (const char* name : {"activity_id", "category_uid", "class_uid", "metadata", "severity_id",
                             "time", "type_uid"}) {
      EXPECT_TRUE(event.contains(name)) << type << ' ' << name;
    }
    const int class_uid = event["class_uid"];
    for (const std::string& name : of_class.at(class_uid)) {
      EXPECT_TRUE(event.contains(name)) << type << ' ' << name;
    }
    EXPECT_EQ(event["category_uid"], class_uid / 1000) << type;
    EXPECT_EQ(event["type_uid"], class_uid * 100 + event["activity_id"].get<int>()) << type;
    EXPECT_EQ(event["metadata"]["version"], "1.4.0");
    EXPECT_EQ(event["metadata"]["product"]["vendor_name"], "Tidewaiter");
  }
}

TEST(Ocsf, TheExactLineIsInIt) {
  for (const auto& [type, line] : Examples()) EXPECT_EQ(Event(type)["raw_data"], line);
}

TEST(Ocsf, NothingIsNull) {
  for (const auto& [type, line] : Examples()) {
    EXPECT_EQ(Event(type).dump().find("null"), std::string::npos) << type;
  }
}

TEST(Ocsf, ADenialIsACallThatWasBlocked) {
  const json event = Event("run.denied");
  EXPECT_EQ(event["type_uid"], 600301);
  EXPECT_EQ(event["status_id"], 2);
  EXPECT_EQ(event["action_id"], 2);
  EXPECT_EQ(event["disposition"], "Blocked");
  EXPECT_EQ(event["status_code"], "image.repository-not-allowed");
  EXPECT_EQ(event["policy"]["name"], "default");
  EXPECT_EQ(event["actor"]["user"]["name"], "validator");
  EXPECT_EQ(event["actor"]["user"]["uid"], "990");
  EXPECT_EQ(event["actor"]["process"]["file"]["path"], "/usr/bin/validator");
  EXPECT_EQ(event["resources"][0]["name"], "evil.example/x");
  EXPECT_EQ(event["time"], 1790944500000);
  EXPECT_EQ(event["metadata"]["sequence"], 4);
  EXPECT_TRUE(event["unmapped"].contains("violations"));
  EXPECT_FALSE(event["unmapped"].contains("principal"));
}

TEST(Ocsf, AnAdmissionIsACallThatWasAllowed) {
  const json event = Event("run.admitted");
  EXPECT_EQ(event["type_uid"], 600301);
  EXPECT_EQ(event["status_id"], 1);
  EXPECT_EQ(event["action"], "Allowed");
  EXPECT_TRUE(event["unmapped"].contains("effective"));
}

TEST(Ocsf, AContainersStartIsAProcessLaunch) {
  const json event = Event("run.started");
  EXPECT_EQ(event["type_uid"], 100701);
  EXPECT_EQ(event["process"]["uid"], "orsxg5bnojqw4zdpnuwws5dfoq");
  EXPECT_EQ(event["process"]["container"]["uid"],
            "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08");
  EXPECT_EQ(event["process"]["container"]["image"]["uid"],
            "sha256:5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03");
}

TEST(Ocsf, AnEndHasItsStatusAndHowBadItIs) {
  const json cancelled = Event("run.finished");
  EXPECT_EQ(cancelled["type_uid"], 100702);
  EXPECT_EQ(cancelled["exit_code"], 137);
  EXPECT_EQ(cancelled["duration"], 812);
  EXPECT_EQ(cancelled["status"], "Failure");
  const auto severity = [](const std::string& kind, int code, bool complete) {
    json record = json::parse(Examples().at("run.finished"));
    record["outcome"]["kind"] = kind;
    record["outcome"]["exit_code"] = code;
    record["receipt"]["complete"] = complete;
    const json event = json::parse(ToOcsf(record.dump()).value());
    return std::pair(event["severity_id"].get<int>(), event["status_id"].get<int>());
  };
  EXPECT_EQ(severity("EXITED", 0, true), std::pair(1, 1));
  EXPECT_EQ(severity("EXITED", 1, true), std::pair(1, 2));
  EXPECT_EQ(severity("TIMED_OUT", 0, true), std::pair(2, 2));
  EXPECT_EQ(severity("LOST", 0, true), std::pair(3, 2));
  EXPECT_EQ(severity("EXITED", 0, false), std::pair(3, 1));
}

TEST(Ocsf, AnArchiveIsAFileWithItsHash) {
  const json event = Event("run.input");
  EXPECT_EQ(event["type_uid"], 600601);
  EXPECT_EQ(event["file"]["name"], "code");
  EXPECT_EQ(event["file"]["hashes"][0]["value"],
            "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08");
  EXPECT_EQ(Event("run.output")["type_uid"], 600602);
  EXPECT_EQ(Event("run.expired")["type_uid"], 600604);
}

TEST(Ocsf, WhatNobodyAskedForIsTheBrokers) {
  EXPECT_EQ(Event("teardown.overdue")["actor"]["app_name"], "tidewaiterd");
  EXPECT_EQ(Event("teardown.overdue")["severity"], "Medium");
  EXPECT_EQ(Event("audit.gap")["severity"], "High");
}

TEST(Ocsf, AnUnknownTypeIsABaseEvent) {
  const auto event = ToOcsf(
      R"({"index":1,"new":"member","time":"2026-10-02T12:35:00.000000001Z","type":"run.dreamt"})");
  ASSERT_TRUE(event.has_value());
  EXPECT_EQ(json::parse(*event)["type_uid"], 99);
  EXPECT_EQ(json::parse(*event)["unmapped"]["new"], "member");
}

TEST(Ocsf, WhatIsNoRecordIsAnError) {
  for (const char* line : {"", "{}", R"({"index":1,"time":"now","type":"x"})",
                           R"({"index":"1","time":"2026-10-02T12:35:00.000000001Z","type":"x"})"}) {
    EXPECT_FALSE(ToOcsf(line).has_value()) << line;
  }
}

TEST(Ocsf, ThePageHasTheSameTable) {
  const std::string page = ReadText(testing::ProjectFile("docs/OCSF.md"));
  for (const auto& [type, line] : Examples()) {
    const OcsfClass& kind = OcsfClassOf(type);
    const std::string row = "| `" + type + "` | " + std::to_string(kind.class_uid) + ' ' +
                            std::string(kind.class_name) + " | " +
                            std::to_string(kind.activity_id) + ' ' +
                            std::string(kind.activity_name) + " |";
    EXPECT_NE(page.find(row), std::string::npos) << row;
  }
}

}  // namespace
}  // namespace tidewaiter::audit
