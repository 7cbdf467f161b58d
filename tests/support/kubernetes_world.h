// The real daemon with the lab's engine and the lab's cluster, on which it has the rights that
// deploy/kubernetes gives and no others; its policy is of production. When a test ends, nothing of
// its broker may be left in the cluster or among the unfinished runs, and each run that was
// admitted must have ended once by the audit log.
#pragma once

#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "tests/support/broker_process.h"
#include "tests/support/cluster_admin.h"
#include "tests/support/gate_client.h"
#include "tests/support/lab.h"
#include "tests/support/program.h"
#include "tests/support/scratch_folder.h"

namespace tidewaiter::testing {

class KubernetesWorld : public ::testing::Test {
 protected:
  // What a broker has that is not as usual.
  struct Changes {
    std::string cluster{};     // more keys of the table [kubernetes]
    std::string settings{};    // more top-level keys of tidewaiter.toml
    std::string policy{};      // more tables of the policy, which says: no network or any
    std::string server{};      // the cluster's address; empty: the lab's
    std::string token{};       // the broker's; empty: the lab's
    std::string name_space{};  // empty: the lab's
    bool enforced = true;      // whether the cluster is said to limit processes and networks
    std::string carrier{};     // its image; empty: the lab's
    bool carries_files = true;
  };
  // A kubelet of 1.20 lets a pod go when its next look at it finds everything of it gone: it looks
  // every 10 s, and needs several looks where it is busy.
  static constexpr std::chrono::seconds kWithin{150};

  void SetUp() override;
  void TearDown() override;
  // Starts a broker as usual.
  void Begin() { Begin(Changes{}); }
  void Begin(const Changes& changes);
  // After the broker was started anew.
  void Reconnect() { client_ = std::make_unique<GateClient>(broker_->socket_path()); }

  // For the cluster, as small as fits.
  [[nodiscard]] v1::RunSpec Command(const std::vector<std::string>& words) const;
  [[nodiscard]] v1::RunSpec Shell(const std::string& script) const {
    return Command({"sh", "-c", script});
  }
  // "run", these options, the same limits, and that command in the lab's image; the backend is the
  // policy's.
  [[nodiscard]] std::vector<std::string> RunWords(std::vector<std::string> options,
                                                  const std::vector<std::string>& command) const;
  // `tidewaiter` with these words.
  [[nodiscard]] std::unique_ptr<Program> Launch(std::vector<std::string> words) const;
  [[nodiscard]] Program::Ended Ask(std::vector<std::string> words) const {
    return Launch(std::move(words))->Wait(kWithin);
  }
  Transcript Run(const v1::RunSpec& spec, const GateClient::OnEvent& on_event = {},
                 bool with_stdin = false) {
    return client_->Run(spec, on_event, with_stdin, kWithin);
  }
  v1::StartResponse Start(const v1::RunSpec& spec);
  v1::WaitResponse Wait(const std::string& run_id);
  Transcript Attach(const std::string& run_id, bool snapshot = false);
  // Until the run's log has that.
  void AwaitOutput(const std::string& run_id, const std::string& text);
  // When the first output is there: a request to cancel.
  static void CancelAtOutput(const v1::RunEvent& event, GateClient::Stream& stream,
                             grpc::ClientContext& context);

  // Kinds of what the receipt says was removed, in its order; an assertion fails for each that was
  // not.
  static std::vector<std::string> RemovedKinds(const v1::Receipt& receipt);
  [[nodiscard]] std::vector<std::string> Leftovers() const {
    return admin_->Leftovers(broker_->broker_id());
  }
  // The outcomes in the records of runs' ends, by run; admitted runs that have none are there.
  [[nodiscard]] std::map<std::string, std::vector<std::string>> RecordedEnds() const;
  // The outcome of the only run.
  [[nodiscard]] std::string RecordedOutcome() const;
  // What TearDown asks for.
  void ExpectNothingLeft() const;
  void ExpectOneEndPerRun() const;

  Lab lab_;
  std::unique_ptr<ClusterAdmin> admin_;
  std::unique_ptr<KubernetesLab> cluster_;
  std::unique_ptr<ScratchFolder> access_;  // the kubeconfig, where strangers cannot change it
  std::unique_ptr<BrokerProcess> broker_;
  std::unique_ptr<GateClient> client_;
};

}  // namespace tidewaiter::testing
