#include "broker/config/kubernetes_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <string>

#include "broker/config/broker_config.h"
#include "tests/support/project_file.h"

namespace tidewaiter::config {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

Result<BrokerConfig> Parse(const std::string& table) {
  return ParseBrokerConfig("version = 1\n[kubernetes]\n" + table, "t.toml");
}

std::string ProblemOf(const std::string& line) {
  const Result<BrokerConfig> config = Parse(line + "\n");
  EXPECT_FALSE(config.has_value()) << line;
  return config ? "" : config.error().message;
}

TEST(KubernetesConfig, WithoutItsTableThereIsNoSuchBackend) {
  const auto config = ParseBrokerConfig("version = 1\n", "t.toml");
  ASSERT_TRUE(config.has_value());
  EXPECT_FALSE(config->kubernetes.has_value());
}

TEST(KubernetesConfig, AnEmptyTableHasTheDefaultsAndStatesNothing) {
  const auto config = Parse("");
  ASSERT_TRUE(config.has_value()) << config.error().message;
  ASSERT_TRUE(config->kubernetes.has_value());
  EXPECT_EQ(*config->kubernetes, KubernetesConfig());
  EXPECT_FALSE(config->kubernetes->network_policy_enforced);
  EXPECT_FALSE(config->kubernetes->pod_pids_limit.has_value());
  EXPECT_EQ(config->kubernetes->name_space, "tidewaiter");
}

TEST(KubernetesConfig, EveryKeyIsRead) {
  const auto config = Parse(R"(
kubeconfig = "/etc/tidewaiter/kubeconfig"
context = "lab"
namespace = "jobs"
network_policy_enforced = true
pod_pids_limit = 128
tolerations = [{ key = "jobs", operator = "Equal", value = "yes", effect = "NoExecute", seconds = 5 }]
runtime_class = "gvisor"
image_pull_secrets = ["registry"]
carrier_image = "r.example/carrier:1@sha256:dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd"
max_input_bytes = "1MiB"
call_timeout = "2s"
schedule_timeout = "3s"
pull_failure_timeout = "4s"
finished_ttl = "5m"
watch_retry_max = "6s"
watch_loss_limit = "7s"
settle_time = "8s"
[kubernetes.node_selector]
"example.org/pool" = "jobs"
)");
  ASSERT_TRUE(config.has_value()) << config.error().message;
  const KubernetesConfig& read = *config->kubernetes;
  EXPECT_EQ(read.kubeconfig, "/etc/tidewaiter/kubeconfig");
  EXPECT_EQ(read.context, "lab");
  EXPECT_EQ(read.name_space, "jobs");
  EXPECT_TRUE(read.network_policy_enforced);
  EXPECT_EQ(read.pod_pids_limit, 128);
  EXPECT_THAT(read.node_selector, ElementsAre(Pair("example.org/pool", "jobs")));
  EXPECT_THAT(read.tolerations, ElementsAre(KubernetesConfig::Toleration{.key = "jobs",
                                                                         .operation = "Equal",
                                                                         .value = "yes",
                                                                         .effect = "NoExecute",
                                                                         .seconds = 5}));
  EXPECT_EQ(read.runtime_class, "gvisor");
  EXPECT_THAT(read.image_pull_secrets, ElementsAre("registry"));
  EXPECT_EQ(read.carrier_image, "r.example/carrier@sha256:" + std::string(64, 'd'));
  EXPECT_EQ(read.max_input_bytes, 1 << 20);
  EXPECT_EQ(read.call_timeout, seconds(2));
  EXPECT_EQ(read.schedule_timeout, seconds(3));
  EXPECT_EQ(read.pull_failure_timeout, seconds(4));
  EXPECT_EQ(read.finished_ttl, minutes(5));
  EXPECT_EQ(read.watch_retry_max, seconds(6));
  EXPECT_EQ(read.watch_loss_limit, seconds(7));
  EXPECT_EQ(read.settle_time, seconds(8));
}

TEST(KubernetesConfig, WhatCouldNotBeIsNamed) {
  EXPECT_THAT(ProblemOf("kubeconfig = \"relative\""), HasSubstr("absolute path"));
  EXPECT_THAT(ProblemOf("namespace = \"Jobs\""), HasSubstr("lower-case letters"));
  EXPECT_THAT(ProblemOf("namespace = \"a.b\""), HasSubstr("lower-case letters"));
  EXPECT_THAT(ProblemOf("pod_pids_limit = 0"), HasSubstr("pod_pids_limit"));
  EXPECT_THAT(ProblemOf("runtime_class = \"a/b\""), HasSubstr("lower-case letters"));
  EXPECT_THAT(ProblemOf("image_pull_secrets = [\"A\"]"), HasSubstr("name of a Secret"));
  EXPECT_THAT(ProblemOf("tolerations = [{ operator = \"In\" }]"), HasSubstr("Exists"));
  EXPECT_THAT(ProblemOf("tolerations = [{ effect = \"No\" }]"), HasSubstr("NoSchedule"));
  EXPECT_THAT(ProblemOf("finished_ttl = \"1s\""), HasSubstr("1m to 720h"));
  EXPECT_THAT(ProblemOf("carrier_image = \"r.example/carrier:1\""), HasSubstr("no digest"));
  EXPECT_THAT(ProblemOf("carrier_image = \"r.example/carrier@x\""), HasSubstr("digest 'x'"));
  EXPECT_THAT(ProblemOf("max_input_bytes = \"0\""), HasSubstr("1B to 256MiB"));
  EXPECT_THAT(ProblemOf("kubconfig = \"/x\""), HasSubstr("kubconfig"));
}

// The table that the example has commented out: every key but the one that states something.
TEST(KubernetesConfig, TheExampleHasEveryDefault) {
  std::ifstream file(testing::ProjectFile("systemd/example/tidewaiter.toml"));
  ASSERT_TRUE(file.is_open());
  std::string table;
  bool inside = false;
  for (std::string line; std::getline(file, line);) {
    inside = line.starts_with('#') && (inside || line == "#[kubernetes]");
    if (inside && line != "#[kubernetes]") table += line.substr(1) + "\n";
  }
  const auto config = Parse(table);
  ASSERT_TRUE(config.has_value()) << config.error().message;
  KubernetesConfig expected;
  expected.pod_pids_limit = 256;
  EXPECT_EQ(*config->kubernetes, expected);
  for (const char* key :
       {"kubeconfig", "context", "namespace", "network_policy_enforced", "node_selector",
        "tolerations", "runtime_class", "image_pull_secrets", "carrier_image", "max_input_bytes",
        "call_timeout", "schedule_timeout", "pull_failure_timeout", "finished_ttl",
        "watch_retry_max", "watch_loss_limit", "settle_time"}) {
    EXPECT_THAT(table, HasSubstr(key));
  }
}

}  // namespace
}  // namespace tidewaiter::config
