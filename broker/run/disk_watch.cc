#include "broker/run/disk_watch.h"

#include <chrono>
#include <utility>

namespace tidewaiter::run {
namespace {

constexpr std::chrono::milliseconds kInterval(200);

}  // namespace

bool DiskWatch::IsLow() {
  if (!watches_) return false;
  auto room = environment_.files->CheckRoom(0);
  if (room || room.error().Reason() != "DISK_LOW") return false;
  error_ = std::move(room).error();
  return true;
}

Deadline DiskWatch::NextLook() const {
  return watches_ ? Deadline::After(kInterval) : Deadline::Never();
}

}  // namespace tidewaiter::run
