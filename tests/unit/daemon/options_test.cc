#include "broker/daemon/options.h"

#include <gtest/gtest.h>

#include <vector>

namespace tidewaiter::daemon {
namespace {

Result<Options> Parse(std::vector<const char*> arguments) {
  arguments.insert(arguments.begin(), "tidewaiterd");
  return ParseOptions(static_cast<int>(arguments.size()), arguments.data());
}

TEST(Options, ConfigIsWanted) {
  EXPECT_FALSE(Parse({}).has_value());
  EXPECT_FALSE(Parse({"--check"}).has_value());
  EXPECT_FALSE(Parse({"--config"}).has_value());
}

TEST(Options, BothFormsOfConfigAreRead) {
  EXPECT_EQ(Parse({"--config", "/a"})->config_path, "/a");
  EXPECT_EQ(Parse({"--config=/a"})->config_path, "/a");
}

TEST(Options, CheckGoesOnEitherSideOfConfig) {
  EXPECT_EQ(Parse({"--check", "--config", "/a"})->action, Options::Action::kCheck);
  EXPECT_EQ(Parse({"--config", "/a", "--check"})->action, Options::Action::kCheck);
}

TEST(Options, UnknownArgumentIsAnError) {
  EXPECT_FALSE(Parse({"--config", "/a", "--debug"}).has_value());
  EXPECT_FALSE(Parse({"--config", "/a", "extra"}).has_value());
}

TEST(Options, HelpAndVersionNeedNoConfig) {
  EXPECT_EQ(Parse({"--help"})->action, Options::Action::kHelp);
  EXPECT_EQ(Parse({"--version"})->action, Options::Action::kVersion);
}

}  // namespace
}  // namespace tidewaiter::daemon
