#include "broker/registry/auth_challenge.h"

#include <gtest/gtest.h>

namespace tidewaiter::registry {
namespace {

TEST(AuthChallengeTest, BearerOfDockerHub) {
  const auto challenge = ParseAuthChallenge(
      R"(Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:a/b:pull,push")");
  ASSERT_TRUE(challenge.has_value());
  EXPECT_EQ(challenge->scheme, AuthChallenge::Scheme::kBearer);
  EXPECT_EQ(challenge->realm, "https://auth.docker.io/token");
  EXPECT_EQ(challenge->service, "registry.docker.io");
  EXPECT_EQ(challenge->scope, "repository:a/b:pull,push");
}

TEST(AuthChallengeTest, BasicNeedsNothing) {
  const auto challenge = ParseAuthChallenge("basic");
  ASSERT_TRUE(challenge.has_value());
  EXPECT_EQ(challenge->scheme, AuthChallenge::Scheme::kBasic);
}

TEST(AuthChallengeTest, EscapesAndSpacesOfTheGrammar) {
  const auto challenge = ParseAuthChallenge(R"(  bearer realm = "a\"b" , service=x )");
  ASSERT_TRUE(challenge.has_value());
  EXPECT_EQ(challenge->realm, "a\"b");
  EXPECT_EQ(challenge->service, "x");
}

TEST(AuthChallengeTest, OfSeveralChallengesTheFirstIsRead) {
  const auto challenge = ParseAuthChallenge(R"(Bearer realm="r", Basic realm="other")");
  ASSERT_TRUE(challenge.has_value());
  EXPECT_EQ(challenge->realm, "r");
}

TEST(AuthChallengeTest, RefusesWhatIsNoChallengeThatItKnows) {
  EXPECT_FALSE(ParseAuthChallenge(""));
  EXPECT_FALSE(ParseAuthChallenge("Negotiate"));
  EXPECT_FALSE(ParseAuthChallenge("Bearer service=x"));
  EXPECT_FALSE(ParseAuthChallenge(R"(Bearer realm="unended)"));
  EXPECT_FALSE(ParseAuthChallenge("Bearer realm=\"a\r\nb\""));
  EXPECT_FALSE(ParseAuthChallenge("Bearer realm=\"" + std::string(5000, 'a') + "\""));
}

}  // namespace
}  // namespace tidewaiter::registry
