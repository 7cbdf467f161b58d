// A sink that has files written by threads of their own, so that reading and decompressing go on
// meanwhile. One caller, who makes the folders: a folder is there before what is in it, whichever
// thread writes that.
#pragma once

#include <array>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
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
  // A file from this size on is the caller's to write: what it costs to hand over so much is more
  // than what a second processor saves, where whoever feeds the archive has use for that, too.
  static constexpr std::uint64_t kLarge = std::uint64_t{8} << 20U;

  // `own` is called by the caller alone, each of `files` by a thread of its own, which writes whole
  // files. All are borrowed, and write to the same place. Returns when the threads run.
  WriteBehind(Sink& own, const std::vector<Sink*>& files);
  // Joins the threads. What was not written yet, Finish not having been called, is not written.
  ~WriteBehind() override;
  WriteBehind(const WriteBehind&) = delete;
  WriteBehind& operator=(const WriteBehind&) = delete;

  // The first refusal of any thread is the answer to a later call, Finish at the latest.
  Expected<void> AddFolder(const std::string& path, std::uint32_t mode) override;
  Expected<void> SetFolderMode(const std::string& path, std::uint32_t mode) override;
  Expected<void> BeginFile(const std::string& path, std::uint32_t mode,
                           std::uint64_t size) override;
  Expected<void> Write(std::string_view piece) override;
  Expected<void> EndFile() override;
  // Finishes `own` once every file is there.
  Expected<void> Finish() override;

 private:
  struct Call {
    enum class What : std::uint8_t { kBegin, kWrite, kEnd };
    What what = What::kEnd;
    std::uint32_t mode = 0;
    std::uint64_t size = 0;  // of the file
    std::size_t length = 0;  // of what it has in Batch::bytes: a path or a piece
  };
  // Many calls at once: waking a thread costs as much as writing a small file.
  struct Batch {
    std::vector<Call> calls;
    std::string bytes;
    bool busy = false;  // handed over, and not yet written
  };
  static constexpr std::size_t kBatches = 4;
  static constexpr std::size_t kBatchBytes = std::size_t{512} << 10U;
  static constexpr std::size_t kBatchCalls = 1024;

  Batch& filling() { return batches_[filled_ % kBatches]; }
  Expected<void> Add(const Call& call, std::string_view bytes);
  Expected<void> HandOver();
  void WakeOne();
  struct Writer {
    Sink* sink = nullptr;
    std::condition_variable wake;
    bool idle = false;  // waits, and nobody has woken it
  };
  void Run(Writer& writer);
  static Expected<void> Replay(const Batch& batch, std::string& path, Sink& sink);

  Sink& own_;
  bool writes_itself_ = false;  // the file that has begun
  // A ring. One that is not busy is the caller's.
  std::array<Batch, kBatches> batches_;

  std::mutex mutex_;
  std::condition_variable to_caller_;
  std::size_t filled_ = 0;  // batches that were handed over
  std::size_t taken_ = 0;   // of them, by threads: in their order
  // Whose file the last batch that was taken ended in: the next one is this thread's too.
  const Writer* amid_ = nullptr;
  std::size_t running_ = 0;
  bool stop_ = false;
  std::optional<Refusal> refused_;

  std::deque<Writer> writers_;
  std::vector<std::thread> threads_;  // the last: they use all of the above
};

}  // namespace tidewaiter::extract
