#include "extract/tar_sink.h"

#include <algorithm>
#include <utility>

#include "base/printable.h"
#include "extract/tar_header.h"

namespace tidewaiter::extract {

TarSink::TarSink(TarOwner owner, Output output) : owner_(owner), output_(std::move(output)) {
  piece_.reserve(kPieceBytes);
}

Expected<void> TarSink::AddFolder(const std::string& path, std::uint32_t mode) {
  return Header({.path = path, .is_folder = true, .mode = mode, .size = 0, .owner = owner_});
}

Expected<void> TarSink::SetFolderMode(const std::string& /*path*/, std::uint32_t /*mode*/) {
  return {};
}

Expected<void> TarSink::BeginFile(const std::string& path, std::uint32_t mode, std::uint64_t size) {
  file_ = path;
  left_ = size;
  padding_ = TarPadding(size);
  return Header({.path = path, .is_folder = false, .mode = mode, .size = size, .owner = owner_});
}

Expected<void> TarSink::Write(std::string_view piece) {
  if (piece.size() > left_) {
    return Refuse(Code::kWrite, "more content than its header says", Printable(file_));
  }
  left_ -= piece.size();
  return Put(piece);
}

Expected<void> TarSink::EndFile() {
  if (left_ > 0) return Refuse(Code::kWrite, "less content than its header says", Printable(file_));
  return Put(std::string(padding_, '\0'));
}

Expected<void> TarSink::Finish() {
  if (auto put = Put(std::string(2 * kTarBlock, '\0')); !put) return put;
  return piece_.empty() ? Expected<void>() : output_(std::exchange(piece_, {}));
}

Expected<void> TarSink::Header(const TarEntry& entry) {
  return Put(EncodeTarHeader(entry, ++entries_));
}

Expected<void> TarSink::Put(std::string_view bytes) {
  while (!bytes.empty()) {
    const std::string_view taken = bytes.substr(0, kPieceBytes - piece_.size());
    bytes.remove_prefix(taken.size());
    if (taken.size() == kPieceBytes) {  // whole pieces are not copied
      if (auto put = output_(taken); !put) return put;
      continue;
    }
    piece_ += taken;
    if (piece_.size() < kPieceBytes) continue;
    auto put = output_(piece_);
    piece_.clear();
    if (!put) return put;
  }
  return {};
}

}  // namespace tidewaiter::extract
