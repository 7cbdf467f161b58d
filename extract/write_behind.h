// A sink that hands everything to another sink on a thread of its own, so that reading and
// decompressing go on meanwhile. One caller; the other sink is called by one thread at a time, in
// the caller's order: a folder still comes before what is in it.
#pragma once

#include <array>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "extract/refusal.h"
#include "extract/sink.h"

namespace tidewaiter::extract {

class WriteBehind final : public Sink {
 public:
  // Starts the thread, and returns when it runs. `sink` is borrowed.
  explicit WriteBehind(Sink& sink);
  // Joins the thread. What was not written yet, Finish not having been called, is not written.
  ~WriteBehind() override;
  WriteBehind(const WriteBehind&) = delete;
  WriteBehind& operator=(const WriteBehind&) = delete;

  // What the other sink refuses is the answer to a later call, Finish at the latest.
  Expected<void> AddFolder(const std::string& path, std::uint32_t mode) override;
  Expected<void> BeginFile(const std::string& path, std::uint32_t mode,
                           std::uint64_t size) override;
  Expected<void> Write(std::string_view piece) override;
  Expected<void> EndFile() override;
  Expected<void> Finish() override;

 private:
  struct Call {
    enum class What : std::uint8_t { kFolder, kBegin, kWrite, kEnd };
    What what = What::kEnd;
    std::uint32_t mode = 0;
    std::uint64_t size = 0;  // of the file
    std::size_t length = 0;  // of what it has in Batch::bytes: a path or a piece
  };
  // Many calls at once: waking a thread costs as much as writing a small file.
  struct Batch {
    std::vector<Call> calls;
    std::string bytes;
  };
  static constexpr std::size_t kBatches = 4;
  static constexpr std::size_t kBatchBytes = std::size_t{256} << 10U;
  static constexpr std::size_t kBatchCalls = 2048;

  Batch& filling() { return batches_[filled_ % kBatches]; }
  Expected<void> Add(const Call& call, std::string_view bytes);
  Expected<void> HandOver();
  void Run();
  Expected<void> Replay(const Batch& batch);

  Sink& sink_;
  // A ring: those from emptied_ up to filled_ are the thread's, the others the caller's.
  std::array<Batch, kBatches> batches_;
  std::string path_;  // the thread's

  std::mutex mutex_;
  std::condition_variable to_writer_;
  std::condition_variable to_caller_;
  std::size_t filled_ = 0;   // written by the caller alone
  std::size_t emptied_ = 0;  // written by the thread alone
  bool running_ = false;
  bool stop_ = false;
  std::optional<Refusal> refused_;

  std::thread thread_;  // the last: it uses all of the above
};

}  // namespace tidewaiter::extract
