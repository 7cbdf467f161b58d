// The real tidewaiterd, started in a scratch folder of its own and stopped with the object. The
// folder lies where only root may write, since a broker in production mode refuses anything else.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <string>
#include <vector>

#include "base/unique_fd.h"
#include "tests/support/eventually.h"
#include "tests/support/scratch_folder.h"

namespace tidewaiter::testing {

class BrokerProcess {
 public:
  struct Options {
    std::string docker_socket{};
    std::string policy{};             // the whole policy file; empty: LabPolicy()
    std::string settings{};           // more top-level keys of tidewaiter.toml
    std::string docker_settings{};    // more keys of the table [docker]
    std::string tables{};             // more tables of tidewaiter.toml
    std::string registry{};           // host:port that speaks plain HTTP; empty: the lab's
    std::string registry_settings{};  // more keys of the table [registry]
    bool expect_start = true;         // false: do not wait until it serves
    // As under systemd's socket activation: this process listens, also while no broker runs, and
    // hands the socket on. That it serves is not waited for then.
    std::string audit_dir = {};  // of one's own; empty: in the scratch folder
    bool activated = false;
  };

  // A policy for the lab: production mode, lab/* of the lab's registry, ISOLATED networks, and this
  // process's uid as the principal "tester" with every role. `extra` is appended.
  static std::string LabPolicy(const std::string& extra = {});
  // The same for the stand-in engine: no registry is asked.
  static std::string StandInPolicy(const std::string& extra = {});
  // And for the stand-in cluster, to which every run goes; plain HTTP is for development.
  static std::string StandInClusterPolicy(const std::string& extra = {});

  // Starts it and waits until it serves; a test assertion fails where it does not within 20 s.
  explicit BrokerProcess(Options options);
  // SIGTERM and a wait, then SIGKILL; removes the scratch folder.
  ~BrokerProcess();
  BrokerProcess(const BrokerProcess&) = delete;
  BrokerProcess& operator=(const BrokerProcess&) = delete;

  [[nodiscard]] const std::string& folder() const { return folder_.path(); }
  [[nodiscard]] std::string socket_path() const { return folder_ / "broker.sock"; }
  [[nodiscard]] std::string audit_dir() const {
    return options_.audit_dir.empty() ? folder_ / "audit" : options_.audit_dir;
  }
  // Of the log's first segment.
  [[nodiscard]] std::string audit_file() const {
    return audit_dir() + "/00000000000000000000.jsonl";
  }
  // Takes the log's file away and puts something in the way of the next, whose path it returns.
  // Nothing must be recorded meanwhile.
  [[nodiscard]] std::string ObstructAudit() const;
  [[nodiscard]] std::string runs_folder() const { return folder_ / "state/runs"; }
  [[nodiscard]] std::string broker_id() const;
  [[nodiscard]] pid_t pid() const { return pid_; }
  [[nodiscard]] bool Running() const;
  // What it has written to stderr so far.
  [[nodiscard]] std::string Log() const;

  // SIGTERM, then waits; the exit status, or 128 + the signal. -1 where it did not end in time.
  int Stop(std::chrono::seconds within = std::chrono::seconds(20));
  // SIGKILL, then waits.
  void Kill();
  // Starts it again over the same folder.
  void Restart();
  // The same where it must refuse to start: its exit status; -1 where it did not end in time.
  int RestartRefused();

 private:
  void ExpectRecordsFit() const;
  void Listen();
  void Start();
  int Wait(std::chrono::seconds within);

  Options options_;
  ScratchFolder folder_;
  UniqueFd listener_;  // where it is activated
  pid_t pid_ = -1;
};

// Containers and networks on an engine that carry this broker's id, as "kind name".
std::vector<std::string> LabelledLeftovers(const std::string& docker_socket,
                                           const std::string& broker_id);

}  // namespace tidewaiter::testing
