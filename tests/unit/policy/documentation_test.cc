// What the documents say of the policy holds: the places that are forbidden, the ids of rules.
#include <gtest/gtest.h>

#include <fstream>
#include <regex>
#include <set>
#include <sstream>
#include <string>

#include "policy/host_area.h"
#include "tests/support/project_file.h"

namespace tidewaiter::policy {
namespace {

std::string Document(const std::string& path) {
  std::ifstream file(testing::ProjectFile(path), std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

// The first group of each match.
std::set<std::string> All(const std::string& text, const std::string& pattern) {
  const std::regex expression(pattern);
  std::set<std::string> found;
  for (std::sregex_iterator at(text.begin(), text.end(), expression), end; at != end; ++at) {
    found.insert((*at)[1]);
  }
  return found;
}

// The text from `begin` to the next `end`.
std::string Between(const std::string& text, const std::string& begin, const std::string& end) {
  const std::size_t from = text.find(begin);
  EXPECT_NE(from, std::string::npos) << begin;
  if (from == std::string::npos) return {};
  return text.substr(from, text.find(end, from) - from);
}

void ExpectForbidden(const std::string& place) {
  EXPECT_TRUE(ForbiddenSource(place)) << place;
  EXPECT_TRUE(ForbiddenSource(place + "/x")) << place;
  EXPECT_TRUE(ForbiddenTarget(place)) << place;
  EXPECT_TRUE(ForbiddenTarget(place + "/x")) << place;
}

TEST(PolicyDocument, EveryPlaceOfAnEngineThatItListsIsForbidden) {
  const std::string table = Between(
      Document("docs/POLICY.md"), "The engine and orchestrator places", "`policy check` resolves");
  const auto places = All(table, "`(/(?:run|var/lib|var/snap)/[^`]*)`");
  EXPECT_GT(places.size(), 35U);
  for (const std::string& place : places) {
    ExpectForbidden(place);
    if (place.starts_with("/run/")) ExpectForbidden("/var" + place);
  }
  const auto sockets = All(table, "`([a-z-]+\\.sock)`");
  EXPECT_EQ(sockets.size(), 7U);
  for (const std::string& socket : sockets) {
    EXPECT_TRUE(ForbiddenSource("/srv/" + socket)) << socket;
    EXPECT_TRUE(ForbiddenTarget("/srv/" + socket)) << socket;
  }
}

TEST(PolicyDocument, EveryRuleOfTheAuditLogsExamplesIsOneOfIts) {
  const auto known = All(Document("docs/POLICY.md"), "\n\\| `([a-z-]+\\.[a-z-]+)` \\|");
  EXPECT_GT(known.size(), 50U);
  const auto shown = All(Document("docs/AUDIT.md"), "\"rule\":\"([^\"]*)\"");
  EXPECT_FALSE(shown.empty());
  for (const std::string& rule : shown) EXPECT_TRUE(known.contains(rule)) << rule;
}

}  // namespace
}  // namespace tidewaiter::policy
