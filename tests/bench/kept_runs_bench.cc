// From the start of tidewaiterd to its first answer, with finished detached runs kept on disk, and
// with none, in turn. Whether it listens is tried every 20 ms. The engine is the stand-in.
// Usage: kept_runs_bench [RUNS [ROUNDS]]
#include <fcntl.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "base/strong_id.h"
#include "broker/journal/directory_journal.h"
#include "broker/run/kept_run.h"
#include "tests/bench/measure.h"
#include "tests/support/broker_process.h"
#include "tests/support/gate_client.h"
#include "tests/support/scratch_folder.h"
#include "tests/support/stand_in_engine.h"

namespace tidewaiter::bench {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

// As one that has ended by itself under a key of its own, with a line of output.
run::KeptRun Finished(const BrokerId& broker_id, int number) {
  run::KeptRun kept;
  kept.entry.run_id = RunId(RandomId());
  kept.entry.broker_id = broker_id;
  kept.entry.backend = "docker";
  kept.entry.caller = {.uid = ::geteuid(), .gid = ::getegid(), .pid = 1, .principal = "tester"};
  kept.entry.requested_image = "127.0.0.1:5000/lab/toolbox:1.0.0";
  kept.entry.image =
      std::string("127.0.0.1:5000/lab/toolbox:1.0.0@") + testing::StandInEngine::kDigest;
  kept.entry.resolved = {.digest = testing::StandInEngine::kDigest,
                         .image_id = testing::StandInEngine::kDigest};
  kept.entry.policy_name = "default";
  kept.entry.policy_hash = std::string(64, 'a');
  kept.entry.log_mark = RandomId();
  kept.entry.resources = {{.kind = run::Resource::Kind::kContainer,
                           .name = "tw-" + kept.entry.run_id.value(),
                           .id = std::string(64, 'c')}};
  kept.entry.detachment.emplace().idempotency_key = "job " + std::to_string(number);
  kept.container_id = std::string(64, 'c');
  kept.outcome.kind = run::Outcome::Kind::kExited;
  kept.receipt.removals = {
      {.kind = "container", .id = kept.container_id, .confirmed_absent = true, .error = {}}};
  kept.ended_at = std::chrono::system_clock::now();
  return kept;
}

bool Keep(const testing::BrokerProcess& broker, int count) {
  const fs::path runs = broker.runs_folder();
  const BrokerId broker_id(broker.broker_id());
  const auto journal = journal::DirectoryJournal::Open(runs.parent_path(), broker_id);
  if (!journal.has_value()) return false;
  for (int i = 0; i < count; ++i) {
    const run::KeptRun kept = Finished(broker_id, i);
    if (!(*journal)->Open(kept.entry).has_value()) return false;
    std::ofstream(runs / kept.entry.run_id.value() / run::kLogFile) << "done\n";
    if (!(*journal)->Keep(kept, Deadline::Never()).has_value()) return false;
  }
  return true;
}

// Milliseconds.
double Start(testing::BrokerProcess& broker) {
  const auto begin = Clock::now();
  broker.Restart();
  testing::GateClient client(broker.socket_path());
  grpc::ClientContext context;
  v1::ListResponse response;
  if (!client.broker().List(&context, {}, &response).ok()) std::exit(1);
  const double millis = std::chrono::duration<double, std::milli>(Clock::now() - begin).count();
  broker.Stop();
  return millis;
}

int Main(int count, int rounds) {
  testing::ScratchFolder folder;
  testing::StandInEngine engine(folder / "engine.sock");
  const testing::BrokerProcess::Options options{.docker_socket = folder / "engine.sock",
                                                .policy = testing::BrokerProcess::StandInPolicy()};
  testing::BrokerProcess with(options);
  testing::BrokerProcess without(options);
  with.Stop();
  without.Stop();
  if (!Keep(with, count)) return 1;
  std::vector<double> with_kept;
  std::vector<double> with_none;
  for (int i = 0; i < rounds; ++i) {
    with_kept.push_back(Start(with));
    with_none.push_back(Start(without));
  }
  PrintRow("to serving, " + std::to_string(count) + " kept", with_kept, "ms");
  PrintRow("to serving, none kept", with_none, "ms");
  return 0;
}

}  // namespace
}  // namespace tidewaiter::bench

int main(int argc, char** argv) {
  const int count = argc > 1 ? std::atoi(argv[1]) : 10'000;
  const int rounds = argc > 2 ? std::atoi(argv[2]) : 7;
  if (count < 1 || rounds < 1) return 2;
  return tidewaiter::bench::Main(count, rounds);
}
