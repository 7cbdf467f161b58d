// docs/POLICY.md is what operators learn the rules from: every rule is there, and what it shows as
// tripping a rule does.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>

#include "policy/evaluate.h"
#include "policy/policy_set.h"
#include "policy/rules.h"
#include "tests/support/project_file.h"
#include "wire/run_spec.h"
#include "wire/spec_json.h"

namespace tidewaiter::wire {
namespace {

using ::testing::Contains;

class TrustsNothing final : public policy::HostPaths {
 public:
  [[nodiscard]] Result<void> CheckTrusted(const std::string& path) const override {
    return Fail(ErrorCode::kPermissionDenied, "trust '" + path + "': others can write it");
  }
};

std::string Text(const std::string& path) {
  std::ifstream file(testing::ProjectFile(path));
  EXPECT_TRUE(file.is_open()) << path;
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

const std::string kDigest = "sha256:" + std::string(64, 'a');

// Rule -> the cell after its description, which shows what trips it; of the table under a heading.
std::map<std::string, std::string> Rows(const std::string& heading, std::size_t column) {
  std::map<std::string, std::string> rows;
  const std::string page = Text("docs/POLICY.md");
  const std::size_t begin = page.find("\n## " + heading + "\n");
  std::istringstream lines(page.substr(begin, page.find("\n## ", begin + 1) - begin));
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with("| `")) continue;
    const std::string rule = line.substr(3, line.find('`', 3) - 3);
    std::size_t cell = 0;
    for (std::size_t i = 0; i < column; ++i) cell = line.find(" | ", cell + 1);
    cell += 3;
    const std::string text = line.substr(cell, line.find(" |", cell) - cell);
    EXPECT_TRUE(rows.emplace(rule, text).second) << rule;
  }
  return rows;
}

// The JSON between the cell's first backquotes, with whole digests; empty for prose.
std::string Fragment(const std::string& cell) {
  if (!cell.starts_with("`{")) return {};
  std::string json = cell.substr(1, cell.find("}`"));
  for (std::size_t at = 0; (at = json.find("sha256:...")) != std::string::npos;) {
    json.replace(at, 10, kDigest);
  }
  return json;
}

std::string Base(const std::string& members = {}) {
  return "{\"image\": \"ghcr.io/platformnetwork/job:1.2.3@" + kDigest + "\"" + members + "}";
}

std::string Repeated(int count, const std::function<std::string(int)>& element) {
  std::string list;
  for (int i = 0; i < count; ++i) list += (i > 0 ? ", " : "") + element(i);
  return list;
}

struct Case {
  std::string spec;
  std::string more_policy;
};

// What the page says in words, since it is too long to show.
std::map<std::string, Case> InWords() {
  const auto word = [](int i) { return "\"a" + std::to_string(i) + "\""; };
  const auto pair = [&](int i) { return word(i) + ": \"1\""; };
  const auto mount = [](int i) {
    return "{\"target\": \"/m" + std::to_string(i) + "\", \"tmpfs\": {}}";
  };
  return {
      {"image.digest-not-allowed",
       {"{\"image\": \"ghcr.io/pinned/job:1.2.3@" + kDigest + "\"}",
        "[[images.allow]]\nrepository = \"ghcr.io/pinned/job\"\ndigests = [\"sha256:" +
            std::string(64, 'b') + "\"]\n"}},
      {"command.too-large", {Base(", \"command\": [" + Repeated(1025, word) + "]"), ""}},
      {"env.too-large", {Base(", \"env\": {" + Repeated(257, pair) + "}"), ""}},
      {"label.too-large", {Base(", \"labels\": {" + Repeated(65, pair) + "}"), ""}},
      {"mount.too-many", {Base(", \"mounts\": [" + Repeated(65, mount) + "]"), ""}},
      {"mount.source-untrusted",
       {Base(", \"mounts\": [{\"target\": \"/d\", \"readOnly\": true, \"bind\": {\"source\": "
             "\"/srv/x\"}}]"),
        "[mounts]\nallow = [\"/srv\"]\n"}},
  };
}

std::vector<std::string> Broken(const Case& tried) {
  const auto set =
      policy::PolicySet::Parse(Text("policy/examples/production.toml") + tried.more_policy, "p");
  if (!set) return {set.error().message};
  const auto spec = ParseSpecJson(tried.spec);
  if (!spec) return {spec.error().list.front().message};
  const auto asked = FromProto(*spec);
  if (!asked) return {asked.error().message};
  const policy::Decision decision =
      policy::Evaluate(*(*set)->Find("default"), *asked, TrustsNothing());
  std::vector<std::string> rules;
  for (const policy::Violation& violation : decision.violations()) rules.push_back(violation.rule);
  return rules;
}

TEST(PolicyDocument, ListsExactlyTheRulesThatThereAre) {
  std::set<std::string> known;
  for (const policy::rule::Description& each : policy::rule::kAll) known.emplace(each.id);
  std::set<std::string> listed;
  for (const auto& [rule, cell] : Rows("The rules", 2)) listed.insert(rule);
  EXPECT_EQ(listed, known);
}

TEST(PolicyDocument, WhatItShowsTripsTheRule) {
  const std::map<std::string, Case> in_words = InWords();
  for (const auto& [rule, cell] : Rows("The rules", 2)) {
    const std::string fragment = Fragment(cell);
    ASSERT_EQ(fragment.empty(), in_words.contains(rule)) << rule << ": " << cell;
    Case tried = fragment.empty() ? in_words.at(rule) : Case{};
    if (!fragment.empty()) {
      nlohmann::json spec = nlohmann::json::parse(Base());
      spec.update(nlohmann::json::parse(fragment, nullptr, false));
      tried.spec = spec.dump();
    }
    EXPECT_THAT(Broken(tried), Contains(rule)) << tried.spec.substr(0, 300);
  }
}

TEST(PolicyDocument, WhatItShowsIsNoSpec) {
  std::size_t tried = 0;
  for (const auto& [rule, cell] : Rows("Rules outside the policy file", 1)) {
    const std::string fragment = Fragment(cell);
    if (!rule.starts_with("spec.") || fragment.empty()) continue;
    const auto spec = ParseSpecJson(fragment);
    ASSERT_FALSE(spec.has_value()) << fragment;
    EXPECT_EQ(spec.error().list.front().rule, rule) << fragment;
    ++tried;
  }
  EXPECT_GE(tried, 3U);
}

// Else WhatItShowsTripsTheRule could not fail for a base that trips something itself.
TEST(PolicyDocument, TheRestOfTheSpecsTripsNothing) {
  EXPECT_THAT(Broken({Base(), ""}), ::testing::IsEmpty());
}

}  // namespace
}  // namespace tidewaiter::wire
