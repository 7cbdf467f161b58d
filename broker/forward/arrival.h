// Whether what was written to a connection has arrived: a write(2) that succeeds says no more than
// that the own kernel has the bytes, and what it still has when the connection breaks is gone. One
// thread.
#pragma once

#include "base/deadline.h"
#include "base/result.h"
#include "broker/io/blocking_socket.h"

namespace tidewaiter::forward {

// Returns once the kernel keeps nothing of what was written: by TCP the other machine has
// acknowledged it, on a Unix socket the other process has read it (SIOCOUTQ). Says nothing of a
// connection that the other side has closed: look for that afterwards. Errors: DEADLINE_EXCEEDED,
// CANCELLED, UNAVAILABLE.
Result<void> AwaitArrival(io::BlockingSocket& socket, Deadline deadline);

}  // namespace tidewaiter::forward
