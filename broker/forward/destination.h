// Port: where records go. Used by one Forwarder, on its thread alone; every call ends by its
// deadline, and at once with CANCELLED where the token that Connect got is stopped.
#pragma once

#include <stop_token>
#include <string>

#include "base/deadline.h"
#include "base/result.h"
#include "broker/forward/forwarded_record.h"

namespace tidewaiter::forward {

class Destination {
 public:
  virtual ~Destination() = default;
  Destination(const Destination&) = delete;
  Destination& operator=(const Destination&) = delete;

  // "journald '/run/systemd/journal/socket'": how errors and the doctor name it.
  [[nodiscard]] virtual std::string Name() const = 0;

  // Closes what was open before.
  virtual Result<void> Connect(const std::stop_token& stop, Deadline deadline) = 0;
  // Hands one record over. After a failure the next call is Connect, and whatever was not
  // confirmed is sent again.
  virtual Result<void> Send(const ForwardedRecord& record, Deadline deadline) = 0;
  // Returns once all that was sent is in the other side's hands, as far as this side can know.
  virtual Result<void> Confirm(Deadline deadline) = 0;

 protected:
  Destination() = default;
};

}  // namespace tidewaiter::forward
