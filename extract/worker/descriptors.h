// What the worker finds open, besides the archive on stdin.
#pragma once

namespace tidewaiter::extract {

inline constexpr int kDirectoryFd = 3;  // of the destination
inline constexpr int kReportFd = 4;     // a pipe's end to write to

}  // namespace tidewaiter::extract
