// Several runs at a time, and faults and kills as they come. TIDEWAITER_FAULTS_SEED replays the
// faults of a seed that was printed; which run meets which depends on the machine.
#include <gtest/gtest.h>

#include <cstdio>
#include <random>
#include <thread>
#include <utility>

#include "tests/faults/fault_matrix.h"

namespace tidewaiter::testing {
namespace {

constexpr int kWorlds = 6;
constexpr int kRounds = 6;
constexpr std::size_t kClients = 4;

// All but those that end the broker, which is everybody's.
std::vector<ExitPath> SharedPaths() {
  std::vector<ExitPath> paths = AttachedPaths();
  for (ExitPath& path : DetachedPaths()) paths.push_back(std::move(path));
  std::erase_if(paths, [](const ExitPath& path) {
    return path.name.ends_with("broker is stopped") || path.name.ends_with("adopted");
  });
  return paths;
}

// One call in eight fails; one in eighty ends the broker.
EngineFault Drawn(unsigned seed, std::size_t index) {
  std::seed_seq mixed{seed, static_cast<unsigned>(index)};
  std::mt19937 random(mixed);
  const auto drawn = random();
  if (drawn % 80 == 0)
    return random() % 2 == 0 ? EngineFault::kKillBefore : EngineFault::kKillAfter;
  if (drawn % 8 != 1) return EngineFault::kNone;
  const std::vector<EngineFault> faults = AllFaults();
  return faults[random() % faults.size()];
}

// What was wrong after one round.
std::vector<std::string> Round(FaultWorld& world, unsigned seed) {
  const std::vector<ExitPath> paths = SharedPaths();
  std::mt19937 random(seed);
  world.faulty().Arm([seed](std::size_t index, const std::string&) { return Drawn(seed, index); });
  std::vector<ClientAnswer> answers(kClients);
  std::vector<std::thread> clients;
  for (ClientAnswer& answer : answers) {
    const ExitPath& path = paths[random() % paths.size()];
    clients.emplace_back([&world, &path, &answer] { answer = path.run(world); });
  }
  for (std::thread& client : clients) client.join();
  world.faulty().Disarm();
  std::vector<std::string> wrong;
  for (const ClientAnswer& answer : answers) {
    // Two 404 in a row are an engine that denies what it has.
    for (std::string& what : world.CheckAnswer(answer, false)) wrong.push_back(std::move(what));
  }
  world.Revive();
  for (std::string& what : world.Settle()) wrong.push_back(std::move(what));
  return wrong;
}

TEST(Interleavings, OfRunsFaultsAndKillsLeaveNothingBehind) {
  const unsigned seed = SeedOr(std::random_device{}());
  std::printf("TIDEWAITER_FAULTS_SEED=%u\n", seed);
  std::vector<std::thread> threads;
  for (unsigned i = 0; i < kWorlds; ++i) {
    threads.emplace_back([seed, i] {
      FaultWorld world("reap_interval = \"1s\"\n");
      for (unsigned round = 0; round < kRounds; ++round) {
        const unsigned of_round = seed + i * kRounds + round;
        for (const std::string& wrong : Round(world, of_round)) {
          ADD_FAILURE() << "seed " << seed << ", its " << i * kRounds + round
                        << "th round: " << wrong << "\n"
                        << world.LogTail();
        }
        if (::testing::Test::HasFailure()) return;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace tidewaiter::testing
