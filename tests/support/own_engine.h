// A Docker Engine of a test's own, which it may kill: with the lab's runtime, in the network of the
// lab's engine (so that the lab's registry is where it was), in mount and PID namespaces of its
// own: whatever it left behind ends with the object.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "tests/support/lab.h"
#include "tests/support/scratch_folder.h"

namespace tidewaiter::testing {

class OwnEngine {
 public:
  // Starts it and waits until it answers; a test assertion fails where it does not within 60 s.
  // `flags`: more of dockerd's.
  OwnEngine(const Lab& lab, std::vector<std::string> flags);
  ~OwnEngine();
  OwnEngine(const OwnEngine&) = delete;
  OwnEngine& operator=(const OwnEngine&) = delete;

  [[nodiscard]] std::string socket() const { return folder_ / "docker.sock"; }
  // SIGKILL: its containers run on until it is there again. Waits for its end.
  void Kill();
  // SIGTERM, likewise.
  void Stop();
  void Start();

 private:
  void End(int signal);

  ScratchFolder folder_;
  std::vector<std::string> flags_;
  std::string network_;  // of the lab's engine, as nsenter(1) wants it
  pid_t holder_ = -1;    // parent of the namespaces' first process, with which they end
  pid_t engine_ = -1;    // parent of dockerd
};

}  // namespace tidewaiter::testing
