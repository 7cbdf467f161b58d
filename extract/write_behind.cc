#include "extract/write_behind.h"

#include <algorithm>
#include <new>

namespace tidewaiter::extract {

WriteBehind::WriteBehind(Sink& sink) : sink_(sink) {
  // All of its memory now: it may be little that is left later.
  for (Batch& batch : batches_) {
    batch.calls.reserve(kBatchCalls);
    batch.bytes.reserve(kBatchBytes);
  }
  thread_ = std::thread([this] { Run(); });
  std::unique_lock lock(mutex_);
  to_caller_.wait(lock, [this] { return running_; });
}

WriteBehind::~WriteBehind() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  to_writer_.notify_one();
  thread_.join();
}

Expected<void> WriteBehind::AddFolder(const std::string& path, std::uint32_t mode) {
  return Add({.what = Call::What::kFolder, .mode = mode}, path);
}

Expected<void> WriteBehind::BeginFile(const std::string& path, std::uint32_t mode,
                                      std::uint64_t size) {
  return Add({.what = Call::What::kBegin, .mode = mode, .size = size}, path);
}

Expected<void> WriteBehind::Write(std::string_view piece) {
  while (!piece.empty()) {
    const std::size_t used = filling().bytes.size();
    if (used >= kBatchBytes) {
      if (auto handed = HandOver(); !handed) return handed;
      continue;
    }
    const std::string_view part = piece.substr(0, kBatchBytes - used);
    piece.remove_prefix(part.size());
    if (auto added = Add({.what = Call::What::kWrite}, part); !added) return added;
  }
  return {};
}

Expected<void> WriteBehind::EndFile() {
  return Add({.what = Call::What::kEnd}, {});
}

Expected<void> WriteBehind::Finish() {
  if (auto handed = HandOver(); !handed) return handed;
  std::unique_lock lock(mutex_);
  to_caller_.wait(lock, [this] { return emptied_ == filled_; });
  if (refused_) return tl::unexpected(*refused_);
  return sink_.Finish();
}

Expected<void> WriteBehind::Add(const Call& call, std::string_view bytes) {
  Batch& batch = filling();
  batch.calls.push_back(call);
  batch.calls.back().length = bytes.size();
  batch.bytes += bytes;
  if (batch.calls.size() < kBatchCalls && batch.bytes.size() < kBatchBytes) return {};
  return HandOver();
}

Expected<void> WriteBehind::HandOver() {
  std::unique_lock lock(mutex_);
  ++filled_;
  to_writer_.notify_one();
  to_caller_.wait(lock, [this] { return filled_ - emptied_ < kBatches; });
  if (refused_) return tl::unexpected(*refused_);
  filling().calls.clear();
  filling().bytes.clear();
  return {};
}

void WriteBehind::Run() {
  std::unique_lock lock(mutex_);
  running_ = true;
  to_caller_.notify_one();
  while (true) {
    to_writer_.wait(lock, [this] { return stop_ || emptied_ < filled_; });
    if (stop_) return;
    if (!refused_) {
      const Batch& batch = batches_[emptied_ % kBatches];
      lock.unlock();
      const auto written = Replay(batch);
      lock.lock();
      if (!written) refused_ = written.error();
    }
    ++emptied_;
    to_caller_.notify_one();
  }
}

Expected<void> WriteBehind::Replay(const Batch& batch) {
  try {
    std::string_view rest = batch.bytes;
    for (const Call& call : batch.calls) {
      const std::string_view bytes = rest.substr(0, call.length);
      rest.remove_prefix(call.length);
      if (call.what == Call::What::kFolder || call.what == Call::What::kBegin) path_ = bytes;
      Expected<void> done;
      switch (call.what) {
        case Call::What::kFolder: done = sink_.AddFolder(path_, call.mode); break;
        case Call::What::kBegin: done = sink_.BeginFile(path_, call.mode, call.size); break;
        case Call::What::kWrite: done = sink_.Write(bytes); break;
        case Call::What::kEnd: done = sink_.EndFile(); break;
      }
      if (!done) return done;
    }
    return {};
  } catch (const std::bad_alloc&) {
    return Refuse(Code::kMemory, "it needs more memory than there is");
  }
}

}  // namespace tidewaiter::extract
