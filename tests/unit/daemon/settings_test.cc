#include "broker/daemon/settings.h"

#include <gtest/gtest.h>

#include "broker/run/detached_run.h"

namespace tidewaiter::daemon {
namespace {

using std::chrono::milliseconds;

docker::DockerSettings Docker(const config::BrokerConfig& config) {
  Preparation preparation;
  preparation.config = config;
  return ToDockerSettings(preparation, BrokerId("b"));
}

// The configuration cannot see the backend, so each has its own defaults.
TEST(Settings, DefaultsOfTheConfigurationAreThoseOfTheDockerBackend) {
  const docker::DockerSettings from = Docker({});
  const docker::DockerSettings own;
  EXPECT_EQ(from.socket, own.socket);
  EXPECT_EQ(from.call_timeout, own.call_timeout);
  EXPECT_EQ(from.create_timeout, own.create_timeout);
  EXPECT_EQ(from.start_timeout, own.start_timeout);
  EXPECT_EQ(from.attach_timeout, own.attach_timeout);
  EXPECT_EQ(from.check_timeout, own.check_timeout);
  EXPECT_EQ(from.ping_interval, own.ping_interval);
  EXPECT_EQ(from.pull_silence, own.pull_silence);
  EXPECT_EQ(from.event_retry_max, own.event_retry_max);
  EXPECT_EQ(from.event_loss_limit, own.event_loss_limit);
  EXPECT_EQ(from.settle_time, own.settle_time);
  EXPECT_EQ(from.registry.call_timeout, own.registry.call_timeout);
  EXPECT_EQ(from.registry.tag_memory, own.registry.tag_memory);
  EXPECT_EQ(from.registry.tag_memory_entries, own.registry.tag_memory_entries);
}

TEST(Settings, DefaultsOfTheConfigurationAreThoseOfTheCore) {
  const run::RunSettings from = ToRunSettings({});
  const run::RunSettings own;
  EXPECT_EQ(from.max_runs, own.max_runs);
  EXPECT_EQ(from.max_queued, own.max_queued);
  EXPECT_EQ(from.max_runs_per_principal, own.max_runs_per_principal);
  EXPECT_EQ(from.queue_timeout, own.queue_timeout);
  EXPECT_EQ(from.audit_deadline, own.audit_deadline);
  EXPECT_EQ(from.prepare_timeout, own.prepare_timeout);
  EXPECT_EQ(from.stop_grace, own.stop_grace);
  EXPECT_EQ(from.teardown_timeout, own.teardown_timeout);
  EXPECT_EQ(from.output_stall, own.output_stall);
  EXPECT_EQ(from.reap_interval, own.reap_interval);
  EXPECT_EQ(from.reap_retry_min, own.reap_retry_min);
  EXPECT_EQ(from.reap_retry_max, own.reap_retry_max);
}

TEST(Settings, DefaultsOfTheConfigurationAreThoseOfTheAuditLog) {
  const audit::LogSettings from = ToLogSettings({});
  const audit::LogSettings own;
  EXPECT_EQ(from.stall, own.stall);
  EXPECT_EQ(from.store.segment_bytes, own.store.segment_bytes);
  EXPECT_EQ(from.store.segment_age, own.store.segment_age);
  EXPECT_EQ(from.store.reserve_bytes, own.store.reserve_bytes);
  EXPECT_EQ(from.store.checkpoint_records, own.store.checkpoint_records);
  EXPECT_EQ(from.store.checkpoint_interval, own.store.checkpoint_interval);
}

TEST(Settings, WhatTheReserveAndTheDeadlineAreReachesTheAuditLog) {
  config::BrokerConfig config;
  config.audit_deadline = milliseconds(7);
  config.audit.reserve_bytes = 8;
  EXPECT_EQ(ToLogSettings(config).stall, milliseconds(7));
  EXPECT_EQ(ToLogSettings(config).store.reserve_bytes, 8U);
}

TEST(Settings, EverySettingOfTheDockerTableReachesTheBackend) {
  config::BrokerConfig config;
  config.docker = {.socket = "/s",
                   .call_timeout = milliseconds(1),
                   .create_timeout = milliseconds(2),
                   .attach_timeout = milliseconds(11),
                   .start_timeout = milliseconds(3),
                   .check_timeout = milliseconds(12),
                   .ping_interval = milliseconds(13),
                   .pull_silence = milliseconds(4),
                   .event_retry_max = milliseconds(5),
                   .event_loss_limit = milliseconds(6),
                   .settle_time = milliseconds(7)};
  config.registry.call_timeout = milliseconds(8);
  config.registry.tag_memory = milliseconds(9);
  config.registry.tag_memory_entries = 10;
  const docker::DockerSettings settings = Docker(config);
  EXPECT_EQ(settings.socket, "/s");
  EXPECT_EQ(settings.call_timeout, milliseconds(1));
  EXPECT_EQ(settings.create_timeout, milliseconds(2));
  EXPECT_EQ(settings.start_timeout, milliseconds(3));
  EXPECT_EQ(settings.pull_silence, milliseconds(4));
  EXPECT_EQ(settings.event_retry_max, milliseconds(5));
  EXPECT_EQ(settings.event_loss_limit, milliseconds(6));
  EXPECT_EQ(settings.settle_time, milliseconds(7));
  EXPECT_EQ(settings.attach_timeout, milliseconds(11));
  EXPECT_EQ(settings.check_timeout, milliseconds(12));
  EXPECT_EQ(settings.ping_interval, milliseconds(13));
  EXPECT_EQ(settings.registry.call_timeout, milliseconds(8));
  EXPECT_EQ(settings.registry.tag_memory, milliseconds(9));
  EXPECT_EQ(settings.registry.tag_memory_entries, 10U);
}

TEST(Settings, TheCertificatesThatWereReadReachTheBackend) {
  Preparation preparation;
  preparation.ca_certificates = "pem";
  EXPECT_EQ(ToDockerSettings(preparation, BrokerId("b")).registry.ca_certificates, "pem");
  EXPECT_EQ(Docker({}).registry.ca_certificates, "");
}

TEST(Settings, EverySettingOfTheReaperReachesTheCore) {
  config::BrokerConfig config;
  config.reap_interval = milliseconds(1);
  config.reap_retry_min = milliseconds(2);
  config.reap_retry_max = milliseconds(3);
  const run::RunSettings settings = ToRunSettings(config);
  EXPECT_EQ(settings.reap_interval, milliseconds(1));
  EXPECT_EQ(settings.reap_retry_min, milliseconds(2));
  EXPECT_EQ(settings.reap_retry_max, milliseconds(3));
}

TEST(Settings, ADrainMayTakeLongerThanAllThatItWaitsFor) {
  const config::BrokerConfig config;
  EXPECT_GT(LongestDrain(config), config.drain_timeout + run::DetachedRun::kFlush +
                                      2 * config.teardown_timeout + config.audit_deadline);
}

}  // namespace
}  // namespace tidewaiter::daemon
