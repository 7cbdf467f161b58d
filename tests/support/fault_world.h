// A broker of its own behind a FaultyEngine, with all its budgets small, and what must be true
// after any fault: nothing with the broker's label, no run directory, one terminal record for each
// admitted run, nothing foreign touched, every client answered. One thread at a time.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/support/broker_process.h"
#include "tests/support/faulty_engine.h"
#include "tests/support/gate_client.h"
#include "tests/support/lab.h"
#include "tests/support/scratch_folder.h"
#include "tests/support/stand_in_cluster.h"
#include "tests/support/stand_in_engine.h"

namespace tidewaiter::testing {

// What a run's client saw.
struct ClientAnswer {
  Transcript transcript;
  bool hung_up = false;  // the client went away by itself, so nobody waits for an answer
  std::vector<std::string> outputs = {};  // names: what it is to be given, or told why not
};

class FaultWorld {
 public:
  struct OnCluster {
    std::chrono::milliseconds pace{4};  // StandInCluster
  };
  // What is the same on the stand-in and on the real engine, written differently.
  struct Jobs {
    std::vector<std::string> exits_with_7;
    std::vector<std::string> runs_for_ever;
    std::vector<std::string> missing_program;
  };

  // In front of a stand-in engine of its own. `settings`: more keys of tidewaiter.toml.
  explicit FaultWorld(const std::string& settings = {});
  // In front of a stand-in cluster of its own, to which all runs go.
  explicit FaultWorld(const OnCluster& on, const std::string& settings = {});
  // In front of the real engine. The job there runs for ever until it is stopped.
  explicit FaultWorld(const Lab& lab, const std::string& settings = {});
  FaultWorld(const FaultWorld&) = delete;
  FaultWorld& operator=(const FaultWorld&) = delete;

  [[nodiscard]] StandInEngine& stand_in() { return *stand_in_; }
  [[nodiscard]] StandInCluster& cluster() { return *cluster_; }
  [[nodiscard]] FaultyEngine& faulty() { return *faulty_; }
  [[nodiscard]] BrokerProcess& broker() { return *broker_; }
  [[nodiscard]] const Jobs& jobs() const { return jobs_; }
  [[nodiscard]] v1::RunSpec Spec(const std::vector<std::string>& command) const;

  // On a connection of its own.
  Transcript Run(const v1::RunSpec& spec, const GateClient::OnEvent& on_event = {});
  Transcript Run(const v1::StartRun& start, const GateClient::OnEvent& on_event);
  // Begins it and waits for its end. As a transcript: admitted, result, receipt.
  Transcript RunDetached(const v1::RunSpec& spec);
  // Begins it: admitted.
  Transcript BeginDetached(const v1::RunSpec& spec);
  // Likewise, and returns once its container has started, or no longer may.
  Transcript StartDetached(const v1::RunSpec& spec);
  // Calls it off. A run that is over, or a broker that is gone, is no matter.
  void CancelDetached(const Transcript& transcript);
  // Adds result and receipt, where StartDetached was answered with OK.
  void WaitDetached(Transcript& transcript);
  // Adds the pieces of an output of it, with their end, where there is a result.
  void FetchDetached(Transcript& transcript, const std::string& output);
  // SIGKILL, and another broker over the same folders; what happens while there is none.
  void ReplaceBroker(const std::function<void()>& meanwhile = {});
  // SIGTERM, and the wait for it. What is wrong with that end, or "".
  std::string StopBroker();
  // Whether a fault has killed it since it was started.
  [[nodiscard]] bool Killed() const { return killed_; }
  // Starts the broker again where it has ended, however it did.
  void Revive();

  // What is wrong with an answer, as far as the client can know; nothing where it is empty. Before
  // Revive. `receipts_hold`: whether a complete receipt must be true already, as it must be unless
  // the engine denies what it has.
  std::vector<std::string> CheckAnswer(const ClientAnswer& answer, bool receipts_hold = true);
  // Waits until everything is as it must be, and says what is not.
  std::vector<std::string> Settle();
  // Of runs that the broker is not done with.
  [[nodiscard]] std::vector<std::string> RunDirectories() const;
  // The end of the broker's log.
  [[nodiscard]] std::string LogTail() const;

 private:
  void Begin(std::unique_ptr<FaultyEngine> faulty, BrokerProcess::Options options);
  void PlantForeign();
  void PlantForeignInCluster();
  [[nodiscard]] std::vector<nlohmann::json> Holdings() const;
  [[nodiscard]] std::vector<std::string> Leftovers() const;
  void ReadAudit();
  [[nodiscard]] std::vector<std::string> WrongRecords() const;
  [[nodiscard]] std::vector<std::string> WrongOutputs(const ClientAnswer& answer) const;
  [[nodiscard]] std::vector<std::string> TouchedForeign() const;

  ScratchFolder folder_;
  std::unique_ptr<StandInEngine> stand_in_;
  std::unique_ptr<StandInCluster> cluster_;
  std::unique_ptr<FaultyEngine> faulty_;
  std::unique_ptr<BrokerProcess> broker_;
  std::string engine_socket_;
  std::string image_;
  Jobs jobs_;
  std::vector<nlohmann::json> foreign_;
  std::atomic<pid_t> pid_{-1};
  std::atomic<bool> killed_{false};
  std::atomic<bool> stopped_{false};

  struct Records {
    std::size_t admitted = 0;
    std::vector<std::string> outcomes;  // of run.finished
  };
  std::size_t audit_read_ = 0;  // bytes
  std::map<std::string, Records> records_;
};

}  // namespace tidewaiter::testing
