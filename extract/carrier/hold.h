// What keeps a pod, and with it the volumes of its outputs, after the job's container has ended.
#pragma once

namespace tidewaiter::extract {

// Waits for SIGTERM, or until Release() is called in the same container, and for what is being
// packed then. The exit status.
int Hold();

// Tells process 1, where it is this program.
void Release();

}  // namespace tidewaiter::extract
