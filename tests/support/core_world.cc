#include "tests/support/core_world.h"

#include <set>
#include <utility>

namespace tidewaiter::testing {
namespace {

const char* const kPolicy = R"(
version = 1
[[images.allow]]
repository = "ghcr.io/team/*"
[[principal]]
name = "alice"
uid = 1001
roles = ["run"]
policy = "default"
[[principal]]
name = "bob"
uid = 1002
roles = ["run"]
policy = "default"
[[principal]]
name = "auditor"
uid = 1003
roles = ["audit"]
policy = "default"
)";

}  // namespace

std::shared_ptr<const policy::PolicySet> CoreWorld::ParsePolicy(const std::string& toml) {
  auto parsed = policy::PolicySet::Parse(toml, "policy.toml");
  if (parsed) return *std::move(parsed);
  ADD_FAILURE() << parsed.error().message;
  return nullptr;
}

const char* CoreWorld::PolicyToml() {
  return kPolicy;
}

CoreWorld::CoreWorld() : policies({.enforced = ParsePolicy(kPolicy), .shadow = nullptr}) {
  environment.policies = &policies;
  environment.broker_id = BrokerId("broker");
  environment.backends = {{"docker", &engine}};
  environment.default_backend = "docker";
  environment.audit = &audit;
  environment.journal = &journal;
  environment.files = &files;
  environment.host_paths = &host_paths;
  environment.log = &log;
  using std::chrono::milliseconds;
  environment.settings = {.max_runs = 4,
                          .max_queued = 4,
                          .max_runs_per_principal = 100,
                          .queue_timeout = kPatience,
                          .audit_deadline = milliseconds(100),
                          .prepare_timeout = kPatience,
                          .stop_grace = kPatience,
                          .teardown_timeout = milliseconds(100),
                          .output_stall = kPatience,
                          .input_timeout = kPatience,
                          .output_timeout = kPatience,
                          .input_stall = kPatience,
                          .reap_interval = std::chrono::hours(1),
                          .reap_retry_min = milliseconds(2),
                          .reap_retry_max = milliseconds(10)};
}

run::RunRegistry& CoreWorld::registry() {
  if (!registry_) registry_ = std::make_unique<run::RunRegistry>(environment);
  return *registry_;
}

Client CoreWorld::Launch(const policy::RunSpec& spec, const run::Caller& caller,
                         std::shared_ptr<run::UploadSource> uploads) {
  Client client;
  client.observer = std::make_shared<FakeObserver>();
  auto handle = registry().Launch(run::RunRequest{.caller = caller,
                                                  .spec = spec,
                                                  .sha256 = "of " + spec.image,
                                                  .with_stdin = false,
                                                  .observer = client.observer,
                                                  .uploads = std::move(uploads)});
  if (handle) {
    client.handle = *std::move(handle);
  } else {
    client.refusal = handle.error().Reason();
  }
  return client;
}

policy::RunSpec CoreWorld::Spec() {
  policy::RunSpec spec;
  spec.image = "ghcr.io/team/job:1.2.3@sha256:" + std::string(64, 'a');
  spec.command = {"secret-argument"};
  spec.env = {{"TOKEN", "secret-value"}};
  return spec;
}

policy::RunSpec CoreWorld::SpecWithTimeout(std::chrono::milliseconds timeout) {
  policy::RunSpec spec = Spec();
  spec.limits.timeout_millis = timeout.count();
  return spec;
}

void CoreWorld::ExpectNothingLeft(std::size_t admitted) {
  EXPECT_EQ(engine.Existing(), std::set<std::string>());
  EXPECT_TRUE(journal.Entries().empty());
  EXPECT_EQ(audit.Count(FakeAudit::Type::kRunAdmitted), admitted);
  EXPECT_EQ(audit.Count(FakeAudit::Type::kRunFinished), admitted);
  std::set<RunId> finished;
  for (const run::AuditEvent& event : audit.Of(FakeAudit::Type::kRunFinished)) {
    EXPECT_TRUE(finished.insert(event.run_id).second) << "two terminal records of one run";
  }
}

}  // namespace tidewaiter::testing
