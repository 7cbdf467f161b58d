#include "extract/input.h"

#include <archive.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <span>
#include <utility>

#include "base/printable.h"

namespace tidewaiter::extract {
namespace {

constexpr std::size_t kReadBytes = std::size_t{256} << 10U;

// How many bytes of `fd` came into `buffer`; 0 at its end.
Expected<std::size_t> ReadSome(int fd, std::span<char> buffer) {
  ssize_t got = 0;
  do {
    got = ::read(fd, buffer.data(), buffer.size());
  } while (got < 0 && errno == EINTR);
  if (got >= 0) return static_cast<std::size_t>(got);
  return Refuse(Code::kCorrupt, fmt::format("read the archive: {}", std::strerror(errno)));
}

}  // namespace

void Input::Closer::operator()(archive* handle) const noexcept {
  ::archive_read_free(handle);
}

Input::Input(int fd, const Limits& limits)
    : fd_(fd), limits_(limits), buffer_(kReadBytes, '\0'), handle_(::archive_read_new()) {}

la_ssize_t Input::OnRead(archive*, void* self, const void** buffer) {
  auto& input = *static_cast<Input*>(self);
  const auto piece = input.gzip_ ? input.gzip_->Next() : input.ReadPiece();
  if (!piece) {
    input.refused_ = piece.error();
    return ARCHIVE_FATAL;
  }
  *buffer = piece->data();
  return static_cast<la_ssize_t>(piece->size());
}

Expected<std::string_view> Input::ReadPiece() {
  if (!first_.empty()) return std::exchange(first_, {});
  const auto got = ReadSome(fd_, buffer_);
  if (!got) return tl::unexpected(got.error());
  in_ += *got;
  return std::string_view(buffer_).substr(0, *got);
}

Expected<void> Input::Recognise() {
  std::size_t size = 0;
  while (size < GzipStream::kMagic.size()) {
    const auto got = ReadSome(fd_, std::span(buffer_).subspan(size));
    if (!got) return tl::unexpected(got.error());
    if (*got == 0) break;
    size += *got;
  }
  in_ = size;
  first_ = std::string_view(buffer_).substr(0, size);
  if (first_.starts_with(GzipStream::kMagic)) gzip_.emplace([this] { return ReadPiece(); });
  return {};
}

Expected<void> Input::Open() {
  open_ = true;
  if (auto recognised = Recognise(); !recognised) return recognised;
  archive* const handle = handle_.get();
  if (handle == nullptr) return Refuse(Code::kMemory, "out of memory");
  // Only so that it is seen where it stands below another.
  ::archive_read_support_filter_gzip(handle);
  ::archive_read_support_filter_zstd(handle);
  ::archive_read_support_filter_xz(handle);
  ::archive_read_support_filter_bzip2(handle);
  ::archive_read_support_format_raw(handle);
  ::archive_read_support_format_empty(handle);
  if (::archive_read_open(handle, this, nullptr, OnRead, nullptr) != ARCHIVE_OK) return Failure();
  // One compression at most: a second would be a bomb's fuse, and programs differ in whether they
  // take it off. The last of the filters is "none".
  if (::archive_filter_count(handle) > (gzip_ ? 1 : 2)) {
    return Refuse(Code::kAmbiguous, "compressed more than once");
  }
  archive_entry* entry = nullptr;
  const int status = ::archive_read_next_header(handle, &entry);
  if (status != ARCHIVE_OK && status != ARCHIVE_EOF) return Failure();
  empty_ = status == ARCHIVE_EOF;
  return {};
}

Expected<std::string_view> Input::Next() {
  if (!open_) {
    if (auto opened = Open(); !opened) return tl::unexpected(opened.error());
  }
  if (empty_) return End();
  const void* data = nullptr;
  std::size_t size = 0;
  la_int64_t offset = 0;
  do {
    const int status = ::archive_read_data_block(handle_.get(), &data, &size, &offset);
    if (status == ARCHIVE_EOF) return End();
    if (status != ARCHIVE_OK) return Failure();
  } while (size == 0);
  out_ += size;
  if (out_ > Limits::kFreeBytes && out_ / limits_.max_ratio > in_) {
    return Refuse(Code::kRatio, fmt::format("more than {} bytes came out for each that went in",
                                            limits_.max_ratio));
  }
  return std::string_view(static_cast<const char*>(data), size);
}

// Nothing may follow what was compressed. GzipStream has seen to it by itself.
Expected<std::string_view> Input::End() {
  if (refused_) return Failure();
  if (gzip_) return std::string_view();
  const auto used = static_cast<std::uint64_t>(::archive_filter_bytes(handle_.get(), -1));
  const bool unread = in_ > used;
  const auto more = ReadPiece();
  if (!more) return more;
  if (unread || !more->empty()) {
    return Refuse(Code::kTrailingData, "data after the end of what is compressed");
  }
  return std::string_view();
}

tl::unexpected<Refusal> Input::Failure() const {
  if (refused_) return tl::unexpected(*refused_);
  const char* const cause = handle_ != nullptr ? ::archive_error_string(handle_.get()) : nullptr;
  // libarchive passes zstd's own word on, without an error number.
  const bool memory = handle_ == nullptr || ::archive_errno(handle_.get()) == ENOMEM ||
                      (cause != nullptr && std::strstr(cause, "not enough memory") != nullptr);
  if (memory) return Refuse(Code::kMemory, "its compression needs more memory than there is");
  return Refuse(Code::kCorrupt,
                fmt::format("decompress: {}", cause != nullptr ? Printable(cause) : "failed"));
}

}  // namespace tidewaiter::extract
