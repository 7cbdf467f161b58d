// What waits to be sent on one run's stream. Output is gathered into messages of up to 64 KiB and
// bounded; everything else is small and few. Not thread-safe: its owner locks.
#pragma once

#include <chrono>
#include <cstddef>
#include <list>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "broker/run/output_sink.h"
#include "tidewaiter/v1/broker.pb.h"

namespace tidewaiter::rpc {

class EventQueue {
 public:
  static constexpr std::size_t kMaxOutputBytes = std::size_t{256} * 1024;
  static constexpr std::size_t kMaxMessageBytes = std::size_t{64} * 1024;
  // Counted for every output event on top of its bytes. A container that alternates single bytes
  // between its two streams makes an event of each, which is some 200 bytes of objects.
  static constexpr std::size_t kEventOverhead = 256;
  // Progress events that wait, and layers that are remembered: a registry chooses how many layers
  // an image has.
  static constexpr std::size_t kMaxProgress = 256;

  using Clock = std::chrono::steady_clock;

  void Push(v1::RunEvent event);

  // Appends all of `data`. False: at least kMaxOutputBytes wait now, kEventOverhead of each event
  // included, so the producer should pause.
  bool PushOutput(run::OutputStream stream, std::span<const std::byte> data);

  // Bytes of the archive of an output, as one event. False: as PushOutput, which they count with.
  bool PushPiece(const std::string& name, std::string_view data);

  // Replaces what waits of the same layer. Dropped where the layer was told of less than 100 ms ago
  // in the same status, or where kMaxProgress is reached.
  void PushProgress(v1::ImageProgress progress, Clock::time_point now);

  // Output waits until then: the engine's answer to the start and the first output race, and the
  // contract has `started` come first. `event`, where there is one, goes in front of it.
  void ReleaseOutput(std::optional<v1::RunEvent> event);

  // Moves the oldest event out. False where there is none that may go.
  bool Pop(v1::RunEvent& event);

  [[nodiscard]] bool empty() const noexcept { return events_.empty(); }
  // Whether a producer that paused may go on: half of the bound is free.
  [[nodiscard]] bool HasRoom() const noexcept { return output_cost_ <= kMaxOutputBytes / 2; }
  void Clear() noexcept;

 private:
  struct Told {
    std::string status;
    Clock::time_point when;
  };

  std::list<v1::RunEvent> events_;  // costs nothing while a run waits
  bool output_held_ = true;
  // Bytes of output and of archives that wait, and the overhead of their events.
  std::size_t output_cost_ = 0;
  std::size_t progress_waiting_ = 0;
  std::map<std::string, Told, std::less<>> told_;  // by layer
};

}  // namespace tidewaiter::rpc
