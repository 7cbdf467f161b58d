// docs/AUDIT.md is what others write their readers from: its examples must be real.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "audit/record.h"
#include "audit/record_header.h"
#include "tests/support/project_file.h"
#include "tests/unit/audit/scratch_folder.h"

namespace tidewaiter::audit {
namespace {

const std::string kPage = testing::ProjectFile("docs/AUDIT.md");

std::vector<std::string> Examples() {
  std::vector<std::string> examples;
  for (std::string& line : ReadLines(kPage)) {
    if (line.starts_with('{')) examples.push_back(std::move(line));
  }
  return examples;
}

// Every type: the enumeration goes on until its names end.
std::set<std::string> Types() {
  std::set<std::string> types;
  for (int i = 0; ToString(static_cast<RecordType>(i)) != "unknown"; ++i) {
    types.emplace(ToString(static_cast<RecordType>(i)));
  }
  return types;
}

// Every member that a record can have, at its top.
std::set<std::string> Members() {
  Record record;
  record.run_id = record.requested_image = record.image = record.resolved_digest = "x";
  record.image_id = record.container_id = record.policy = record.policy_hash = record.detail = "x";
  record.caller.emplace().pid_start = 1;
  record.caller->executable = "x";
  record.shadow_policy_hash = record.config_hash = record.request_digest = "x";
  record.violations.emplace_back();
  record.shadow.emplace();
  record.limits.emplace();
  record.effective.emplace();
  record.tenant.emplace();
  record.archive.emplace();
  record.outcome.emplace();
  record.receipt.emplace();
  record.dropped_output_bytes = 1;
  record.log.emplace();
  std::string line;
  EncodedRecord(record, "boot", "broker").AppendTo(line, 0);
  std::set<std::string> names;
  const auto json = nlohmann::json::parse(line);
  for (const auto& member : json.items()) names.insert(member.key());
  return names;
}

TEST(AuditDocumentation, EveryExampleIsACanonicalRecord) {
  for (const std::string& example : Examples()) {
    EXPECT_TRUE(ReadHeader(example).has_value()) << example;
    EXPECT_EQ(nlohmann::json::parse(example, nullptr, false).dump(), example);
  }
}

TEST(AuditDocumentation, EveryTypeHasAnExample) {
  std::set<std::string> shown;
  for (const std::string& example : Examples()) {
    shown.emplace(ReadHeader(example).value_or(RecordHeader{}).type);
  }
  EXPECT_EQ(shown, Types());
}

TEST(AuditDocumentation, EveryMemberIsDescribed) {
  const std::string page = ReadText(kPage);
  for (const std::string& name : Members()) {
    EXPECT_NE(page.find("`" + name + "`"), std::string::npos) << name;
  }
}

TEST(AuditDocumentation, NoExampleHasAMemberThatDoesNotExist) {
  std::set<std::string> known = Members();
  for (const std::string& example : Examples()) {
    const auto json = nlohmann::json::parse(example);
    for (const auto& member : json.items()) {
      EXPECT_TRUE(known.contains(member.key())) << member.key();
    }
  }
}

}  // namespace
}  // namespace tidewaiter::audit
