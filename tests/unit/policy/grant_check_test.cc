#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/policy/policy_fixture.h"

namespace tidewaiter::policy {
namespace {

using namespace std::string_literals;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

RunSpec Capabilities(std::vector<std::string> names) {
  RunSpec spec = AdmittedSpec();
  spec.add_capabilities = std::move(names);
  return spec;
}

RunSpec Network(NetworkMode mode) {
  RunSpec spec = AdmittedSpec();
  spec.network = mode;
  return spec;
}

RunSpec Labels(std::map<std::string, std::string> labels) {
  RunSpec spec = AdmittedSpec();
  spec.labels = std::move(labels);
  return spec;
}

TEST(NetworkCheck, NoneByDefault) {
  EXPECT_EQ(Effective(Toml(), AdmittedSpec()).network, NetworkMode::kNone);
  EXPECT_THAT(Ask(Toml(), Network(NetworkMode::kIsolated)),
              ElementsAre("network.mode-not-allowed network.mode"));
  EXPECT_THAT(Ask(Toml(), Network(NetworkMode::kBridge)),
              ElementsAre("network.mode-not-allowed network.mode"));
}

TEST(NetworkCheck, ListedModesAreAdmitted) {
  const std::string policy = Toml("[network]\nmodes = [\"none\", \"isolated\"]\n");
  EXPECT_EQ(Effective(policy, Network(NetworkMode::kIsolated)).network, NetworkMode::kIsolated);
  EXPECT_THAT(Ask(policy, Network(NetworkMode::kBridge)),
              ElementsAre("network.mode-not-allowed network.mode"));
}

TEST(CapabilityCheck, NoneByDefault) {
  EXPECT_THAT(Ask(Toml(), Capabilities({"CHOWN"})),
              ElementsAre("capability.not-allowed addCapabilities[0]"));
}

TEST(CapabilityCheck, SpellingsMeanTheSame) {
  const std::string policy =
      Toml("[capabilities]\nallow = [\"cap_net_bind_service\", \"CHOWN\"]\n");
  EXPECT_THAT(
      Effective(policy, Capabilities({"net_bind_service", "CAP_CHOWN", "Chown"})).add_capabilities,
      ElementsAre("CHOWN", "NET_BIND_SERVICE"));
}

TEST(CapabilityCheck, UnknownNamesAreDenied) {
  const std::string policy = Toml("[capabilities]\nallow = [\"CHOWN\"]\n");
  EXPECT_THAT(
      Ask(policy, Capabilities({"ALL", "CAP_ALL", "", "CAP_CAP_CHOWN", "CHOWN "})),
      ElementsAre("capability.unknown addCapabilities[0]", "capability.unknown addCapabilities[1]",
                  "capability.unknown addCapabilities[2]", "capability.unknown addCapabilities[3]",
                  "capability.unknown addCapabilities[4]"));
}

TEST(CapabilityCheck, EndlessNonsenseGetsBoundedAnswers) {
  EXPECT_EQ(Ask(Toml(), Capabilities(std::vector<std::string>(100000, "X"))).size(), 64U);
}

TEST(RootfsCheck, ReadOnlyUnlessAskedAndAllowed) {
  RunSpec spec = AdmittedSpec();
  EXPECT_TRUE(Effective(Toml(), spec).read_only_rootfs);
  spec.read_only_rootfs = false;
  EXPECT_THAT(Ask(Toml(), spec), ElementsAre("rootfs.writable readOnlyRootfs"));
  EXPECT_FALSE(Effective(Toml("[rootfs]\nallow_writable = true\n"), spec).read_only_rootfs);
}

TEST(RuntimeCheck, OnlyListedNames) {
  RunSpec spec = AdmittedSpec();
  spec.runtime = "runsc";
  EXPECT_THAT(Ask(Toml(), spec), ElementsAre("runtime.not-allowed runtime"));
  EXPECT_EQ(Effective(Toml("[runtimes]\nallow = [\"runsc\"]\n"), spec).runtime, "runsc");
}

TEST(SeccompCheck, OnlyListedNames) {
  RunSpec spec = AdmittedSpec();
  spec.seccomp_profile = "unconfined";
  EXPECT_THAT(Ask(Toml(), spec), ElementsAre("seccomp.not-allowed seccompProfile"));
  spec.seccomp_profile = "strict";
  EXPECT_EQ(Effective(Toml("[seccomp]\nallow = [\"strict\"]\n"), spec).seccomp_profile, "strict");
}

TEST(LabelCheck, OrdinaryLabelsPass) {
  const std::map<std::string, std::string> labels{{"a", ""},
                                                  {"com.example.x", "\tof two\nlines: \u00e9\"\\"},
                                                  {"io.tidewaiters", "z"},
                                                  {"x.io.tidewaiter.run", "1"}};
  EXPECT_EQ(Effective(Toml(), Labels(labels)).labels, labels);
}

TEST(LabelCheck, BrokersLabelsAreReservedInAnyCase) {
  for (const char* name :
       {"io.tidewaiter", "io.tidewaiter.run", "IO.Tidewaiter.broker", "io.tidewaiter."}) {
    EXPECT_THAT(Ask(Toml(), Labels({{name, "x"}})),
                ElementsAre("label.reserved labels['"s + name + "']"));
  }
}

TEST(LabelCheck, BadNamesAndValuesAreDenied) {
  EXPECT_THAT(Ask(Toml(), Labels({{"", "x"}})), ElementsAre("label.name-invalid labels['']"));
  EXPECT_THAT(Ask(Toml(), Labels({{"a\n", "x"}})),
              ElementsAre("label.name-invalid labels['a\\x0a']"));
  EXPECT_THAT(Ask(Toml(), Labels({{"a", "x\0"s}})), ElementsAre("label.value-invalid labels['a']"));
  EXPECT_THAT(Ask(Toml(), Labels({{"a", std::string(4097, 'x')}})),
              ElementsAre("label.value-invalid labels['a']"));
}

TEST(LabelCheck, ControlCharactersInValuesAreDenied) {
  for (const char* value : {"\x01", "a\bb", "line\r\n", "\x1b[2J", "\x7f"}) {
    EXPECT_THAT(Ask(Toml(), Labels({{"a", value}})),
                ElementsAre("label.value-invalid labels['a']"));
  }
}

TEST(LabelCheck, AllTogetherAreBounded) {
  std::map<std::string, std::string> labels;
  for (char name = 'a'; name < 'e'; ++name) labels[{name}] = std::string(4095, '"');
  EXPECT_EQ(Effective(Toml(), Labels(labels)).labels, labels);
  labels["a"] += "x";
  EXPECT_THAT(Ask(Toml(), Labels(labels)), ElementsAre("label.too-large labels"));
}

TEST(LabelCheck, CountIsBounded) {
  std::map<std::string, std::string> labels;
  for (int i = 0; i < 65; ++i) labels[std::to_string(i)] = "x";
  EXPECT_THAT(Ask(Toml(), Labels(labels)), ElementsAre("label.too-large labels"));
}

TEST(TenantCheck, FieldsAreBoundedPrintableText) {
  RunSpec spec = AdmittedSpec();
  spec.tenant = {std::string(128, 'c'), "j\xC3\xA4", "task 1"};
  EXPECT_EQ(Effective(Toml(), spec).tenant, spec.tenant);
  spec.tenant = {std::string(129, 'c'), "a\nb", "\xff"};
  EXPECT_THAT(Ask(Toml(), spec),
              ElementsAre("tenant.invalid tenant.challenge", "tenant.invalid tenant.job",
                          "tenant.invalid tenant.task"));
}

TEST(BackendCheck, NameIsPlain) {
  RunSpec spec = AdmittedSpec();
  spec.backend = "docker";
  EXPECT_EQ(Effective(Toml(), spec).backend, "docker");
  spec.backend = "../docker";
  EXPECT_THAT(Ask(Toml(), spec), ElementsAre("backend.invalid backend"));
}

TEST(IdempotencyKeyCheck, PrintableAsciiUpTo128) {
  RunSpec spec = AdmittedSpec();
  spec.idempotency_key = std::string(128, '~');
  EXPECT_THAT(Ask(Toml(), spec), IsEmpty());
  for (const std::string& bad : {std::string(129, 'a'), "a\n"s, "\xC3\xA4"s, "a\0"s}) {
    spec.idempotency_key = bad;
    EXPECT_THAT(Ask(Toml(), spec), ElementsAre("idempotency-key.invalid idempotencyKey"));
  }
}

}  // namespace
}  // namespace tidewaiter::policy
