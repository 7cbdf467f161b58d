#include "tests/faults/fault_matrix.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <optional>
#include <random>
#include <thread>
#include <utility>

namespace tidewaiter::testing {
namespace {

// On a busy machine the small budgets may end a run that nothing was done to.
constexpr int kBaselineAttempts = 5;

struct Case {
  std::size_t index = 0;
  EngineFault fault = EngineFault::kNone;
  bool lasting = false;
};

struct Tally {
  std::size_t ran = 0;
  std::size_t unreached = 0;  // the run did not come to that call this time
  std::vector<std::string> wrong;
};

bool All() {
  const char* chosen = std::getenv("TIDEWAITER_FAULTS");
  return chosen != nullptr && std::string_view(chosen) == "all";
}

// The calls of the path where nothing fails and the broker has run something before: what it asks
// only once is part of the path on which the events break. Nothing where it cannot be brought
// about.
std::optional<std::vector<std::string>> Baseline(FaultWorld& world, const ExitPath& path,
                                                 Tally& tally) {
  std::string seen;
  for (int attempt = 0; attempt < kBaselineAttempts; ++attempt) {
    world.faulty().Disarm();
    const ClientAnswer answer = path.run(world);
    tally.wrong = world.CheckAnswer(answer);
    seen = answer.transcript.status.error_message();
    for (const v1::RunEvent& event : answer.transcript.events) {
      seen += "\n" + event.ShortDebugString();
    }
    // What the next broker asks is no part of a path that ends with this one.
    const bool over = !world.broker().Running();
    std::vector<std::string> calls = world.faulty().Calls();
    world.Revive();
    for (std::string& wrong : world.Settle()) tally.wrong.push_back(std::move(wrong));
    if (!tally.wrong.empty()) return std::nullopt;
    if (!over) calls = world.faulty().Calls();
    if (path.reached(answer) && attempt > 0) return calls;
  }
  tally.wrong.push_back("the path does not end so where nothing fails: " + seen);
  return std::nullopt;
}

std::vector<std::string> RunCase(FaultWorld& world, const ExitPath& path, const Case& one,
                                 bool receipts_hold, bool& reached) {
  std::atomic<bool> struck{false};
  world.faulty().Arm([&struck, one](std::size_t index, const std::string&) {
    const bool now = one.lasting ? index >= one.index : index == one.index;
    if (!now) return EngineFault::kNone;
    struck = true;
    return one.fault;
  });
  const ClientAnswer answer = path.run(world);
  // A run goes on after a client that has gone.
  if (answer.hung_up) Eventually(std::chrono::seconds(2), [&] { return struck.load(); });
  // One that strikes once may still do so while the broker clears up.
  if (one.lasting || Kills(one.fault)) world.faulty().Disarm();
  std::vector<std::string> wrong = world.CheckAnswer(answer, receipts_hold);
  world.Revive();
  if (one.fault == EngineFault::kKillLate) {
    // Once the restarted broker believes that it is done.
    Eventually(std::chrono::seconds(5), [&] { return world.RunDirectories().empty(); });
    world.faulty().Release();
  }
  for (std::string& more : world.Settle()) wrong.push_back(std::move(more));
  world.faulty().Disarm();
  reached = struck;
  return wrong;
}

std::vector<Case> Cases(std::size_t calls, const MatrixOptions& options) {
  std::vector<Case> cases;
  for (std::size_t index = 0; index < calls; ++index) {
    for (const EngineFault fault : options.faults) {
      cases.push_back({.index = index, .fault = fault, .lasting = false});
    }
    for (const EngineFault fault : options.lasting) {
      cases.push_back({.index = index, .fault = fault, .lasting = true});
    }
  }
  if (All() || cases.size() <= options.sample) return cases;
  std::mt19937 random(SeedOr(1));
  std::shuffle(cases.begin(), cases.end(), random);
  // Each call once before any is taken a second time.
  std::vector<std::size_t> taken(calls);
  std::vector<std::pair<std::size_t, Case>> ranked;
  for (const Case& one : cases) ranked.emplace_back(taken[one.index]++, one);
  std::stable_sort(ranked.begin(), ranked.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  ranked.resize(options.sample);
  cases.clear();
  for (const auto& [rank, one] : ranked) cases.push_back(one);
  return cases;
}

class Workers {
 public:
  Workers(const ExitPath& path, const MatrixOptions& options, std::vector<std::string> calls)
      : path_(path),
        options_(options),
        calls_(std::move(calls)),
        cases_(Cases(calls_.size(), options)) {}

  Tally Run() {
    std::vector<std::thread> threads;
    for (std::size_t i = 0; i < std::min(options_.worlds, cases_.size()); ++i) {
      threads.emplace_back([this] { Work(); });
    }
    for (std::thread& thread : threads) thread.join();
    return std::move(tally_);
  }

 private:
  void Work() {
    std::unique_ptr<FaultWorld> world = options_.world();
    for (std::size_t next = next_++; next < cases_.size(); next = next_++) {
      const Case& one = cases_[next];
      bool reached = false;
      const std::vector<std::string> wrong =
          RunCase(*world, path_, one, options_.receipts_hold, reached);
      const bool clean = wrong.empty();
      Note(one, reached, wrong, clean ? "" : world->LogTail());
      if (!clean) world = options_.world();  // what is left would spoil the next
    }
    // What came late, of whichever case.
    Note({}, true, world->Settle(), world->LogTail(), false);
  }

  void Note(const Case& one, bool reached, const std::vector<std::string>& wrong,
            const std::string& log, bool counts = true) {
    const std::lock_guard lock(mutex_);
    if (counts) ++tally_.ran;
    if (!reached) ++tally_.unreached;
    for (const std::string& what : wrong) {
      const std::string where =
          counts ? "call " + std::to_string(one.index) + " (" + calls_[one.index] + "), " +
                       std::string(NameOf(one.fault)) + (one.lasting ? " from then on" : "")
                 : "in the end";
      tally_.wrong.push_back(where + ": " + what + "\n" + log);
    }
  }

  const ExitPath& path_;
  const MatrixOptions& options_;
  const std::vector<std::string> calls_;
  const std::vector<Case> cases_;
  std::atomic<std::size_t> next_{0};
  std::mutex mutex_;
  Tally tally_;
};

}  // namespace

unsigned SeedOr(unsigned otherwise) {
  const char* given = std::getenv("TIDEWAITER_FAULTS_SEED");
  return given == nullptr ? otherwise : static_cast<unsigned>(std::strtoul(given, nullptr, 10));
}

void RunMatrix(const ExitPath& path, const MatrixOptions& options) {
  Tally tally;
  std::optional<std::vector<std::string>> calls;
  {
    const std::unique_ptr<FaultWorld> world = options.world();
    calls = Baseline(*world, path, tally);
  }
  if (calls) {
    EXPECT_FALSE(calls->empty());
    tally = Workers(path, options, *calls).Run();
    std::printf(
        "run that %s: %zu calls, %zu pairs of call and fault%s, %zu not reached, %zu wrong\n",
        path.name.c_str(), calls->size(), tally.ran,
        All() ? "" : (", a sample by seed " + std::to_string(SeedOr(1))).c_str(), tally.unreached,
        tally.wrong.size());
    ::testing::Test::RecordProperty("pairs", static_cast<int>(tally.ran));
    ::testing::Test::RecordProperty("wrong", static_cast<int>(tally.wrong.size()));
    // A case that does not come to its call says nothing. One call of a short path may be such.
    EXPECT_LE(tally.unreached, tally.ran / std::min<std::size_t>(5, calls->size()));
  }
  for (const std::string& wrong : tally.wrong) {
    ADD_FAILURE() << "run that " << path.name << ": " << wrong;
  }
}

}  // namespace tidewaiter::testing
