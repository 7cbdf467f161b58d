#include "extract/write_behind.h"

#include <algorithm>
#include <new>
#include <utility>

namespace tidewaiter::extract {

WriteBehind::WriteBehind(Sink& own, const std::vector<Sink*>& files) : own_(own) {
  // All of its memory now: it may be little that is left later.
  for (Batch& batch : batches_) {
    batch.calls.reserve(kBatchCalls);
    batch.bytes.reserve(kBatchBytes);
  }
  for (Sink* const sink : files) writers_.emplace_back().sink = sink;
  for (Writer& writer : writers_) {
    threads_.emplace_back([this, &writer] { Run(writer); });
  }
  std::unique_lock lock(mutex_);
  to_caller_.wait(lock, [this] { return running_ == threads_.size(); });
}

WriteBehind::~WriteBehind() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  for (Writer& writer : writers_) writer.wake.notify_one();
  for (std::thread& thread : threads_) thread.join();
}

Expected<void> WriteBehind::AddFolder(const std::string& path, std::uint32_t mode) {
  return own_.AddFolder(path, mode);
}

Expected<void> WriteBehind::SetFolderMode(const std::string& path, std::uint32_t mode) {
  return own_.SetFolderMode(path, mode);
}

Expected<void> WriteBehind::BeginFile(const std::string& path, std::uint32_t mode,
                                      std::uint64_t size) {
  writes_itself_ = size >= kLarge;
  if (writes_itself_) return own_.BeginFile(path, mode, size);
  return Add({.what = Call::What::kBegin, .mode = mode, .size = size}, path);
}

Expected<void> WriteBehind::Write(std::string_view piece) {
  if (writes_itself_) return own_.Write(piece);
  while (!piece.empty()) {
    // A batch that is full was handed over; only a long path makes it longer than it should be.
    const std::string_view part = piece.substr(0, kBatchBytes - filling().bytes.size());
    piece.remove_prefix(part.size());
    if (auto added = Add({.what = Call::What::kWrite}, part); !added) return added;
  }
  return {};
}

Expected<void> WriteBehind::EndFile() {
  if (std::exchange(writes_itself_, false)) return own_.EndFile();
  return Add({.what = Call::What::kEnd}, {});
}

Expected<void> WriteBehind::Finish() {
  if (auto handed = HandOver(); !handed) return handed;
  std::unique_lock lock(mutex_);
  to_caller_.wait(lock, [this] {
    return std::none_of(batches_.begin(), batches_.end(),
                        [](const Batch& batch) { return batch.busy; });
  });
  if (refused_) return tl::unexpected(*refused_);
  return own_.Finish();
}

Expected<void> WriteBehind::Add(const Call& call, std::string_view bytes) {
  Batch& batch = filling();
  // Pieces of one file that meet in a batch are written at once.
  const bool more = call.what == Call::What::kWrite && !batch.calls.empty() &&
                    batch.calls.back().what == Call::What::kWrite;
  if (!more) {
    batch.calls.push_back(call);
    batch.calls.back().length = 0;
  }
  batch.calls.back().length += bytes.size();
  batch.bytes += bytes;
  if (batch.calls.size() < kBatchCalls && batch.bytes.size() < kBatchBytes) return {};
  return HandOver();
}

Expected<void> WriteBehind::HandOver() {
  std::unique_lock lock(mutex_);
  filling().busy = true;
  ++filled_;
  WakeOne();
  to_caller_.wait(lock, [this] { return !filling().busy; });
  if (refused_) return tl::unexpected(*refused_);
  filling().calls.clear();
  filling().bytes.clear();
  return {};
}

// Whoever has a file open must go on with it; of a batch that begins with a new one, somebody idle.
void WriteBehind::WakeOne() {
  for (Writer& writer : writers_) {
    if (!writer.idle || (amid_ != nullptr && amid_ != &writer)) continue;
    writer.idle = false;
    return writer.wake.notify_one();
  }
}

void WriteBehind::Run(Writer& writer) {
  std::string path;
  std::unique_lock lock(mutex_);
  ++running_;
  to_caller_.notify_one();
  while (true) {
    writer.wake.wait(lock, [&] {
      const bool mine = stop_ || (taken_ < filled_ && (amid_ == nullptr || amid_ == &writer));
      writer.idle = !mine;  // also where somebody else has taken what it was woken for
      return mine;
    });
    if (stop_) return;
    Batch& batch = batches_[taken_++ % kBatches];
    const bool whole = batch.calls.empty() || batch.calls.back().what == Call::What::kEnd;
    amid_ = whole ? nullptr : &writer;
    // The next batch may be another's, who was not woken for it.
    if (whole && taken_ < filled_) WakeOne();
    if (!refused_) {
      lock.unlock();
      const auto written = Replay(batch, path, *writer.sink);
      lock.lock();
      if (!written && !refused_) refused_ = written.error();
    }
    batch.busy = false;
    to_caller_.notify_one();
  }
}

Expected<void> WriteBehind::Replay(const Batch& batch, std::string& path, Sink& sink) {
  try {
    std::string_view rest = batch.bytes;
    for (const Call& call : batch.calls) {
      const std::string_view bytes = rest.substr(0, call.length);
      rest.remove_prefix(call.length);
      Expected<void> done;
      switch (call.what) {
        case Call::What::kBegin:
          path = bytes;
          done = sink.BeginFile(path, call.mode, call.size);
          break;
        case Call::What::kWrite: done = sink.Write(bytes); break;
        case Call::What::kEnd: done = sink.EndFile(); break;
      }
      if (!done) return done;
    }
    return {};
  } catch (const std::bad_alloc&) {
    return Refuse(Code::kMemory, "it needs more memory than there is");
  }
}

}  // namespace tidewaiter::extract
