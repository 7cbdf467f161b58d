#include "broker/docker/engine_event.h"

#include <gtest/gtest.h>

namespace tidewaiter::docker {
namespace {

// As 20.10 writes it.
constexpr const char* kDie =
    R"({"status":"die","id":"dd9a","from":"i","Type":"container","Action":"die","Actor":{"ID":"dd9a",)"
    R"("Attributes":{"exitCode":"4","image":"i","name":"evt"}},"scope":"local","time":1795316400,)"
    R"("timeNano":1795316400558204215})";

TEST(EngineEventTest, DieCarriesIdCodeAndTime) {
  const auto event = ParseEngineEvent(kDie);
  ASSERT_TRUE(event.has_value());
  EXPECT_EQ(event->kind, EngineEvent::Kind::kDied);
  EXPECT_EQ(event->container_id, "dd9a");
  EXPECT_EQ(event->exit_code, 4);
  EXPECT_EQ(event->since, "1795316400.558204215");
}

TEST(EngineEventTest, ExitCodeThatNoProcessHasIsNone) {
  for (const char* code : {"\"\"", "\"4x\"", "\"99999999999\"", "\"256\"", "\"-1\"", "4", "null"}) {
    const auto event = ParseEngineEvent(
        std::string(
            R"({"Type":"container","Action":"die","Actor":{"ID":"a","Attributes":{"exitCode":)") +
        code + "}}}");
    ASSERT_TRUE(event.has_value());
    EXPECT_EQ(event->exit_code, std::nullopt) << code;
  }
}

TEST(EngineEventTest, OtherThingsAreNoneOfOurs) {
  EXPECT_EQ(ParseEngineEvent(R"({"Type":"network","Action":"destroy"})")->kind,
            EngineEvent::Kind::kOther);
  EXPECT_EQ(ParseEngineEvent(R"({"Type":"container","Action":"start"})")->kind,
            EngineEvent::Kind::kOther);
}

TEST(EngineEventTest, LineThatIsNoEventIsAnError) {
  EXPECT_FALSE(ParseEngineEvent("").has_value());
  EXPECT_FALSE(ParseEngineEvent("garbage").has_value());
  EXPECT_FALSE(ParseEngineEvent("[]").has_value());
  EXPECT_FALSE(ParseEngineEvent("{}").has_value());
}

}  // namespace
}  // namespace tidewaiter::docker
