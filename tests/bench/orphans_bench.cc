// What a crash leaves on the engine, removed in three ways, in turn on the same engine: containers
// that no run knows (strays), by a broker that starts; runs that the journal knows, likewise; and
// as many of the same containers by one `docker rm -f`. All are created and never started,
// hardened as the broker's own, and a second old. From the start of the process that removes to the
// last absence, and from the first absence to the last. Usage: orphans_bench [CONTAINERS [ROUNDS]]
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "audit/log.h"
#include "base/guarded.h"
#include "base/strong_id.h"
#include "broker/daemon/audit_writer.h"
#include "broker/io/event_loop.h"
#include "broker/io/http_client.h"
#include "broker/journal/directory_journal.h"
#include "tests/bench/bare_engine.h"
#include "tests/bench/measure.h"
#include "tests/support/audit_store.h"
#include "tests/support/broker_process.h"
#include "tests/support/lab.h"

namespace tidewaiter::bench {
namespace {

using nlohmann::json;
using Clock = std::chrono::steady_clock;

constexpr std::chrono::minutes kPatience(10);

struct Made {
  std::string run_id;
  std::string container_id;
};

// Created as the broker does, four at a time.
std::vector<Made> CreateContainers(BareEngine& engine, std::size_t count,
                                   const std::string& broker_id) {
  std::vector<Made> made(count);
  std::atomic<std::size_t> next = 0;
  const auto work = [&] {
    for (std::size_t i = next++; i < count; i = next++) {
      made[i].run_id = RandomId();
      json body = engine.Body();
      body["Labels"] = {{"io.tidewaiter.broker", broker_id},
                        {"io.tidewaiter.run", made[i].run_id},
                        {"io.tidewaiter.principal", "tester"}};
      made[i].container_id = json::parse(engine.Call(
          "POST", "/containers/create?name=tw-" + made[i].run_id, body.dump(), 201))["Id"];
    }
  };
  std::vector<std::jthread> workers;
  for (int i = 0; i < 4; ++i) workers.emplace_back(work);
  return made;
}

// When containers with a broker's label go, as the engine's events tell.
class Absences {
 public:
  Absences(BareEngine& engine, const std::string& broker_id) {
    const std::string path =
        "/events?filters=%7B%22event%22%3A%5B%22destroy%22%5D%2C%22label%22%3A%5B%22"
        "io.tidewaiter.broker%3D" +
        broker_id + "%22%5D%7D";
    thread_ = std::jthread([this, &engine, path](const std::stop_token& stop) {
      engine.Stream(
          path, stop, [this] { Change([](State& state) { state.open = true; }); },
          [this](std::string_view data) {
            Change([&](State& state) {
              for (const char c : data) {
                if (c == '\n') state.at.push_back(Clock::now());
              }
            });
            return true;
          });
    });
    auto state = state_.Lock();
    if (!state.Wait(changed_, {}, Deadline::After(kPatience), [&] { return state->open; })) {
      std::exit(1);
    }
  }

  // Of the first and of the last of them.
  std::pair<Clock::time_point, Clock::time_point> Await(std::size_t count) {
    auto state = state_.Lock();
    if (!state.Wait(changed_, {}, Deadline::After(kPatience),
                    [&] { return state->at.size() >= count; })) {
      std::fprintf(stderr, "%zu of %zu are gone, and no more go\n", state->at.size(), count);
      std::exit(1);
    }
    return {state->at.front(), state->at.back()};
  }

 private:
  struct State {
    bool open = false;
    std::vector<Clock::time_point> at;
  };
  template <typename How>
  void Change(How how) {
    how(*state_.Lock());
    changed_.notify_all();
  }

  Guarded<State> state_;
  std::condition_variable_any changed_;
  std::jthread thread_;  // last: it uses what stands above
};

struct Way {
  std::vector<double> total;
  std::vector<double> removal;

  void Add(Clock::time_point begin, std::pair<Clock::time_point, Clock::time_point> absences) {
    total.push_back(std::chrono::duration<double>(absences.second - begin).count());
    removal.push_back(std::chrono::duration<double>(absences.second - absences.first).count());
  }
};

// In the journal and in the log, as the broker has them before the container is created.
void JournalRuns(const testing::BrokerProcess& broker, const std::vector<Made>& runs) {
  const std::filesystem::path folder = broker.folder();
  const BrokerId broker_id(broker.broker_id());
  const auto journal = journal::DirectoryJournal::Open(folder / "state", broker_id);
  audit::LogSettings settings;
  settings.directory = folder / "audit";
  settings.broker_id = broker_id.value();
  settings.store = tidewaiter::testing::AuditStore();
  const auto log = audit::Log::Open(std::move(settings));
  if (!journal.has_value() || !log.has_value()) std::exit(1);
  auto key = audit::HashKey::Generate();
  if (!key.has_value()) std::exit(1);
  daemon::AuditWriter writer(**log, *std::move(key));
  for (const Made& run : runs) {
    run::JournalEntry entry;
    entry.run_id = RunId(run.run_id);
    entry.broker_id = broker_id;
    entry.backend = "docker";
    entry.caller = {.uid = ::geteuid(), .principal = "tester"};
    entry.log_mark = writer.Mark();
    entry.resources = {{.kind = run::Resource::Kind::kContainer,
                        .name = "tw-" + run.run_id,
                        .id = run.container_id}};
    if (!(*journal)->Open(entry).has_value()) std::exit(1);
    run::AuditEvent admitted;
    admitted.type = run::AuditEvent::Type::kRunAdmitted;
    admitted.run_id = entry.run_id;
    admitted.caller = entry.caller;
    writer.AppendEventually(admitted);
  }
  if (!(*log)->Drain(Deadline::After(kPatience)).has_value()) std::exit(1);
}

void DockerRemove(const std::string& socket, const std::vector<Made>& containers) {
  std::vector<std::string> words{"docker", "-H", "unix://" + socket, "rm", "-f"};
  for (const Made& made : containers) words.push_back(made.container_id);
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
  pid_t pid = 0;
  if (::posix_spawnp(&pid, "docker", &actions, nullptr, argv.data(), environ) != 0) std::exit(1);
  ::posix_spawn_file_actions_destroy(&actions);
  int status = 0;
  ::waitpid(pid, &status, 0);
  if (status != 0) std::exit(1);
}

int Main(std::size_t count, int rounds) {
  const auto lab = testing::FindLab();
  if (!lab) {
    std::fprintf(stderr, "no engine: see tests/lab/engine\n");
    return 1;
  }
  testing::BrokerProcess broker({.docker_socket = lab->docker_socket});
  broker.Stop();
  BareEngine engine(lab->docker_socket, lab->image);
  const std::string by_hand = RandomId();
  Way strays;
  Way journalled;
  Way docker;
  for (int i = 0; i < rounds; ++i) {
    for (Way* way : {&strays, &journalled, &docker}) {
      const std::string& broker_id = way == &docker ? by_hand : broker.broker_id();
      const std::vector<Made> made = CreateContainers(engine, count, broker_id);
      if (way == &journalled) JournalRuns(broker, made);
      Absences absences(engine, broker_id);
      // The engine is at what it has just made for a while, and slower for whoever comes first.
      std::this_thread::sleep_for(std::chrono::seconds(1));
      const auto begin = Clock::now();
      if (way == &docker) {
        DockerRemove(engine.socket(), made);
      } else {
        broker.Restart();
      }
      way->Add(begin, absences.Await(count));
      // Its directories go last: else the next start would have them to read, and to remove.
      const Deadline patience = Deadline::After(kPatience);
      while (!std::filesystem::is_empty(broker.folder() + "/state/runs") && !patience.Passed()) {
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
      }
      broker.Stop();
    }
  }
  std::printf("%zu containers, created and never started\n", count);
  PrintRow("docker rm -f: in all", docker.total, "s");
  PrintRow("docker rm -f: removing", docker.removal, "s");
  PrintRow("strays: from the start", strays.total, "s");
  PrintRow("strays: removing", strays.removal, "s");
  PrintRow("journalled: from the start", journalled.total, "s");
  PrintRow("journalled: removing", journalled.removal, "s");
  const double peer = Median(docker.total);
  std::printf(
      "medians against docker rm -f in all: journalled runs %.2f; strays %.2f, %.2f from the first "
      "absence\n",
      Median(journalled.total) / peer, Median(strays.total) / peer, Median(strays.removal) / peer);
  return 0;
}

}  // namespace
}  // namespace tidewaiter::bench

int main(int argc, char** argv) {
  const int count = argc > 1 ? std::atoi(argv[1]) : 1000;
  const int rounds = argc > 2 ? std::atoi(argv[2]) : 3;
  if (count < 1 || rounds < 1) return 2;
  return tidewaiter::bench::Main(static_cast<std::size_t>(count), rounds);
}
