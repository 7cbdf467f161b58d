#include "extract/tar_reader.h"

#include <archive.h>
#include <archive_entry.h>
#include <fmt/format.h>

#include <cerrno>
#include <utility>

#include "base/printable.h"
#include "extract/entry_path.h"

namespace tidewaiter::extract {
namespace {

std::string_view WithoutFinalSlash(std::string_view name) {
  if (name.size() > 1 && name.ends_with('/')) name.remove_suffix(1);
  return name;
}

bool SameName(const char* read, std::string_view scanned) {
  return read != nullptr && WithoutFinalSlash(read) == WithoutFinalSlash(scanned);
}

}  // namespace

TarReader::TarReader(int fd, const Limits& limits)
    : limits_(limits),
      input_(fd, limits),
      handle_(::archive_read_new(), [](archive* handle) { ::archive_read_free(handle); }) {}

TarReader::~TarReader() = default;

la_ssize_t TarReader::OnRead(archive* handle, void* self, const void** buffer) {
  auto& reader = *static_cast<TarReader*>(self);
  const auto refuse = [&](const Refusal& refusal) -> la_ssize_t {
    reader.refused_ = refusal;
    ::archive_set_error(handle, EIO, "refused");
    return ARCHIVE_FATAL;
  };
  const auto piece = reader.input_.Next();
  if (!piece) return refuse(piece.error());
  if (auto fed = reader.scanner_.Feed(*piece); !fed) return refuse(fed.error());
  reader.at_end_ = piece->empty();
  *buffer = piece->data();
  return static_cast<la_ssize_t>(piece->size());
}

Expected<std::optional<Entry>> TarReader::Next() {
  archive* const handle = handle_.get();
  if (handle == nullptr) return Refuse(Code::kMemory, "out of memory");
  if (!std::exchange(open_, true)) {
    ::archive_read_support_format_tar(handle);
    // Of an empty archive there is nothing to recognise: the scanner tells.
    ::archive_read_support_format_empty(handle);
    if (::archive_read_open(handle, this, nullptr, OnRead, nullptr) != ARCHIVE_OK) {
      return Failure();
    }
  }
  archive_entry* read = nullptr;
  const int status = ::archive_read_next_header(handle, &read);
  if (refused_) return tl::unexpected(*refused_);
  if (status == ARCHIVE_EOF) return End();
  std::optional<ScannedEntry> scanned = scanner_.Next();
  if (!scanned) return Failure();
  name_ = std::move(scanned->name);
  // A warning is no agreement either: it tells of something that was guessed at.
  if (status != ARCHIVE_OK) return Failure();
  if (auto same = Compare(*read, *scanned); !same) return tl::unexpected(same.error());
  auto path = ToEntryPath(name_, scanned->is_folder, limits_);
  if (!path) return tl::unexpected(path.error());
  left_ = scanned->size;
  return Entry{.path = *std::move(path),
               .name = name_,
               .is_folder = scanned->is_folder,
               .size = scanned->size,
               .mode = scanned->mode};
}

Expected<void> TarReader::Compare(archive_entry& read, const ScannedEntry& scanned) const {
  const bool same_name = SameName(::archive_entry_pathname(&read), name_) ||
                         SameName(::archive_entry_pathname_utf8(&read), name_);
  const auto type = scanned.is_folder ? AE_IFDIR : AE_IFREG;
  const auto size = static_cast<std::uint64_t>(::archive_entry_size(&read));
  const bool plain = ::archive_entry_hardlink(&read) == nullptr &&
                     ::archive_entry_symlink(&read) == nullptr &&
                     ::archive_entry_sparse_count(&read) == 0;
  if (same_name && plain && ::archive_entry_filetype(&read) == type && size == scanned.size) {
    return {};
  }
  return Refuse(Code::kAmbiguous, "an entry that programs read differently", Printable(name_));
}

Expected<std::string_view> TarReader::Read() {
  const void* data = nullptr;
  std::size_t size = 0;
  la_int64_t offset = 0;
  do {
    const int status = ::archive_read_data_block(handle_.get(), &data, &size, &offset);
    if (refused_) return tl::unexpected(*refused_);
    if (status == ARCHIVE_EOF) {
      if (left_ == 0) return std::string_view();
      return Refuse(Code::kTruncated, "the archive ends amid a file", Printable(name_));
    }
    if (status != ARCHIVE_OK) return Failure();
  } while (size == 0);
  if (size > left_)
    return Refuse(Code::kAmbiguous, "more content than the header says", Printable(name_));
  left_ -= size;
  return std::string_view(static_cast<const char*>(data), size);
}

// libarchive stops at the end marker; what follows is the scanner's to judge.
Expected<std::optional<Entry>> TarReader::End() {
  while (true) {
    const auto piece = input_.Next();
    if (!piece) return tl::unexpected(piece.error());
    if (piece->empty()) break;
    if (auto fed = scanner_.Feed(*piece); !fed) return tl::unexpected(fed.error());
  }
  if (auto ended = scanner_.Finish(); !ended) return tl::unexpected(ended.error());
  if (const auto more = scanner_.Next()) {
    return Refuse(Code::kAmbiguous, "an entry that some programs do not see",
                  Printable(more->name));
  }
  return std::optional<Entry>();
}

tl::unexpected<Refusal> TarReader::Failure() {
  if (refused_) return tl::unexpected(*refused_);
  if (at_end_) {
    // It ended where it should not have: the scanner has the right word for that.
    if (auto ended = scanner_.Finish(); !ended) {
      return Refuse(ended.error().code, ended.error().message, Printable(name_));
    }
  }
  if (::archive_errno(handle_.get()) == ENOMEM) return Refuse(Code::kMemory, "out of memory");
  const char* const cause = ::archive_error_string(handle_.get());
  return Refuse(Code::kAmbiguous,
                fmt::format("an archive that libarchive does not read: {}",
                            cause != nullptr ? Printable(cause) : "it does not say why"),
                Printable(name_));
}

}  // namespace tidewaiter::extract
