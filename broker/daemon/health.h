// What grpc.health.v1 says, and /readyz with it: SERVING as long as a run could be admitted, so not
// while the broker stops, nor while the audit log cannot be written. Thread: any.
#pragma once

#include <functional>

#include "base/guarded.h"

namespace tidewaiter::daemon {

class Health {
 public:
  // `tell` is called now, and at each change until it is replaced; never after that. Under a lock:
  // it must not block. Empty: nobody is told.
  void Tell(std::function<void(bool serving)> tell);

  void SetAuditWorks(bool works);
  void SetStopping();

  struct Standing {
    bool audit_works = true;
    bool stopping = false;
  };
  [[nodiscard]] Standing Now();

 private:
  struct State : Standing {
    std::function<void(bool)> tell;
    void Update() const {
      if (tell) tell(audit_works && !stopping);
    }
  };
  Guarded<State> state_;
};

}  // namespace tidewaiter::daemon
