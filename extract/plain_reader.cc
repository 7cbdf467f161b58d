#include "extract/plain_reader.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/printable.h"
#include "extract/entry_path.h"
#include "extract/tar_encoding.h"
#include "extract/tar_header.h"

namespace tidewaiter::extract {
namespace {

constexpr std::size_t kPieceBytes = std::size_t{64} << 10U;

}  // namespace

Expected<std::string_view> PlainReader::Take(std::size_t most) {
  buffer_.resize(std::min(most, kPieceBytes));
  ssize_t got = 0;
  do {
    got = ::read(fd_, buffer_.data(), buffer_.size());
  } while (got < 0 && errno == EINTR);
  if (got < 0) return Refuse(Code::kWrite, std::strerror(errno), Printable(name_));
  const std::string_view piece(buffer_.data(), static_cast<std::size_t>(got));
  if (auto fed = scanner_.Feed(piece); !fed) return tl::unexpected(fed.error());
  return piece;
}

Expected<std::optional<Entry>> PlainReader::Next() {
  content_ += std::exchange(padding_, 0);
  while (content_ > 0) {
    const auto skipped = Read();
    if (!skipped) return tl::unexpected(skipped.error());
  }
  std::size_t block = kTarBlock;  // what is left of it
  std::optional<ScannedEntry> scanned;
  while (!(scanned = scanner_.Next())) {
    const auto piece = Take(block);
    if (!piece) return tl::unexpected(piece.error());
    if (piece->empty()) {
      if (auto ended = scanner_.Finish(); !ended) return tl::unexpected(ended.error());
      return std::optional<Entry>();
    }
    block -= piece->size();
    if (block == 0) block = kTarBlock;
  }
  name_ = std::move(scanned->name);
  auto path = ToEntryPath(name_, scanned->is_folder, limits_);
  if (!path) return tl::unexpected(path.error());
  content_ = scanned->size;
  padding_ = TarPadding(scanned->size);
  return Entry{.path = *std::move(path),
               .name = name_,
               .is_folder = scanned->is_folder,
               .size = scanned->size,
               .mode = scanned->mode};
}

Expected<std::string_view> PlainReader::Read() {
  if (content_ == 0) return std::string_view();
  const auto piece = Take(static_cast<std::size_t>(std::min<std::uint64_t>(content_, kPieceBytes)));
  if (!piece) return piece;
  if (piece->empty()) {
    return Refuse(Code::kTruncated, "the archive ends amid a file", Printable(name_));
  }
  content_ -= piece->size();
  return piece;
}

}  // namespace tidewaiter::extract
