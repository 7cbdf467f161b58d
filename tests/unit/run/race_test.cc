// Exit, cancel, timeout and a vanishing client at about the same moment, over and over: whoever
// wins, the run is torn down once and recorded once.
#include <gtest/gtest.h>

#include <cstdint>
#include <cstdlib>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/core_world.h"

namespace tidewaiter::testing {
namespace {

// A failing seed is printed; TIDEWAITER_SEED plays it again.
unsigned Seed() {
  const char* given = std::getenv("TIDEWAITER_SEED");
  return given != nullptr ? static_cast<unsigned>(std::strtoul(given, nullptr, 10))
                          : std::random_device{}();
}

TEST(Race, EveryInterleavingEndsOnceAndLeavesNothing) {
  const unsigned seed = Seed();
  SCOPED_TRACE("TIDEWAITER_SEED=" + std::to_string(seed));
  std::minstd_rand random(seed);
  for (int round = 0; round < 20; ++round) {
    CoreWorld world;
    world.environment.settings.max_runs = 1 + static_cast<std::uint32_t>(random() % 3);
    world.environment.settings.max_queued = 8;
    world.environment.settings.stop_grace = std::chrono::milliseconds(5);
    world.engine.FailNext(FakeBackend::Step::kRemove, static_cast<int>(random() % 4));
    std::vector<Client> clients;
    for (int i = 0; i < 4; ++i) {
      clients.push_back(
          world.Launch(CoreWorld::SpecWithTimeout(std::chrono::milliseconds(1 + random() % 8))));
    }
    std::vector<std::size_t> moments;
    for (int i = 0; i < 3; ++i) moments.push_back(random() % 48);
    const auto pause = [&](std::size_t which) {
      world.trace.WaitSize(moments[which], std::chrono::milliseconds(6));
    };
    std::thread cancelling([&] {
      pause(0);
      for (const Client& client : clients) client.Cancel();
    });
    std::thread vanishing([&] {
      pause(1);
      for (const Client& client : clients) client.Vanish();
    });
    std::thread exiting([&] {
      pause(2);
      for (const Client& client : clients) {
        if (const auto run_id = client->run_id()) world.engine.ExitIfThere(*run_id, 0);
      }
    });
    cancelling.join();
    vanishing.join();
    exiting.join();
    for (const Client& client : clients) ASSERT_TRUE(client->WaitDone());
    std::size_t admitted = 0;
    for (const Client& client : clients) admitted += client->told().Count("admitted");
    // What the reaper had to take over is in its hands by now.
    ASSERT_TRUE(admitted == 0 || world.trace.WaitFor("journal:close", admitted));
    world.ExpectNothingLeft(admitted);
  }
}

}  // namespace
}  // namespace tidewaiter::testing
