#include "extract/tar_scanner.h"

#include <algorithm>
#include <utility>

#include "base/printable.h"

namespace tidewaiter::extract {
namespace {

// What octal cannot hold in the twelve bytes of the size field: only PAX or GNU's binary form can.
constexpr std::uint64_t kBeyondOctal = std::uint64_t{1} << 33U;

// What is no file and no folder, by its type.
std::optional<Code> ForbiddenType(char type) {
  switch (type) {
    case '0':
    case '\0':
    case '5': return std::nullopt;
    case '1': return Code::kHardLink;
    case '2': return Code::kSymbolicLink;
    case '3':
    case '4': return Code::kDevice;
    case '6': return Code::kFifo;
    case 'S': return Code::kSparse;
    default: return Code::kUnknownType;
  }
}

std::string_view Describe(Code code) {
  switch (code) {
    case Code::kHardLink: return "a hard link";
    case Code::kSymbolicLink: return "a symbolic link";
    case Code::kDevice: return "a device";
    case Code::kFifo: return "a FIFO";
    case Code::kSparse: return "a sparse file";
    default: return "an entry of an unknown type";
  }
}

}  // namespace

Expected<void> TarScanner::Feed(std::string_view bytes) {
  while (!bytes.empty()) {
    if (phase_ == Phase::kContent && partial_.empty() && left_ >= kTarBlock) {
      // Whole blocks of content are not looked at.
      const std::uint64_t skip =
          std::min<std::uint64_t>(left_, bytes.size()) / kTarBlock * kTarBlock;
      left_ -= skip;
      bytes.remove_prefix(skip);
      if (left_ == 0) phase_ = Phase::kHeader;
      if (skip > 0) continue;
    }
    const std::size_t wanted = kTarBlock - partial_.size();
    const std::string_view piece = bytes.substr(0, wanted);
    bytes.remove_prefix(piece.size());
    Expected<void> taken;
    if (partial_.empty() && piece.size() == kTarBlock) {
      taken = TakeBlock(piece);
    } else {
      partial_ += piece;
      if (partial_.size() < kTarBlock) return {};
      taken = TakeBlock(std::exchange(partial_, {}));
    }
    if (!taken) return taken;
  }
  return {};
}

Expected<void> TarScanner::TakeBlock(std::string_view block) {
  switch (phase_) {
    case Phase::kContent:
      left_ -= std::min<std::uint64_t>(left_, kTarBlock);
      if (left_ == 0) phase_ = Phase::kHeader;
      return {};
    case Phase::kBody: {
      const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(left_, kTarBlock));
      body_ += block.substr(0, size);
      left_ -= size;
      return left_ == 0 ? EndBody() : Expected<void>();
    }
    case Phase::kOneZeroBlock:
      if (IsZero(block)) {
        phase_ = Phase::kEnd;
        return {};
      }
      return Refuse(Code::kAmbiguous,
                    "one empty block amid the archive: some programs end there, some go on");
    case Phase::kEnd:
      if (IsZero(block)) return {};
      if (ParseTarHeader(block)) {
        return Refuse(Code::kAmbiguous, "a second archive after the end of the first");
      }
      return Refuse(Code::kTrailingData, "data after the end of the archive");
    case Phase::kHeader: break;
  }
  if (IsZero(block)) {
    // Python's tarfile takes a global header with nothing after it for a broken archive.
    if (HasPending() || global_)
      return Refuse(Code::kAmbiguous, "a header for an entry that does not come");
    phase_ = Phase::kOneZeroBlock;
    any_ = true;
    return {};
  }
  auto header = ParseTarHeader(block);
  // After the first header it is a tar, and this one is broken.
  if (!header && any_ && header.error().code == Code::kNoTar) {
    return Refuse(Code::kBadChecksum, "no header where the next one belongs");
  }
  if (!header) return tl::unexpected(header.error());
  any_ = true;
  return TakeHeader(*header);
}

Expected<void> TarScanner::TakeHeader(const TarHeader& header) {
  switch (header.type) {
    case 'x':
    case 'g':
    case 'L':
    case 'K': return BeginBody(header);
    default: return AddEntry(header);
  }
}

Expected<void> TarScanner::BeginBody(const TarHeader& header) {
  const bool names_only = header.type == 'L' || header.type == 'K';
  // GNU tar writes a long link and a long name for one entry; nothing else may come together.
  const bool clash = names_only ? pax_ || (header.type == 'L' ? long_name_.has_value() : long_link_)
                                : HasPending();
  if (clash) {
    return Refuse(Code::kAmbiguous,
                  "several headers for one entry, of which programs take different ones");
  }
  if (header.size > kMaxPaxBytes) {
    return Refuse(Code::kAmbiguous, "a header of more than 64 KiB for one entry");
  }
  if (header.size == 0) return Refuse(Code::kAmbiguous, "an empty extended header");
  body_type_ = header.type;
  body_.clear();
  left_ = header.size;
  phase_ = Phase::kBody;
  return {};
}

Expected<void> TarScanner::EndBody() {
  phase_ = Phase::kHeader;
  if (body_type_ == 'K') {
    long_link_ = true;
    return {};
  }
  if (body_type_ == 'L') {
    std::string name = std::exchange(body_, {});
    if (name.back() == '\0') name.pop_back();
    if (name.find('\0') != std::string::npos) {
      return Refuse(Code::kNul, "a name with a NUL byte", Printable(name));
    }
    long_name_ = std::move(name);
    return {};
  }
  auto records = ParsePaxRecords(body_);
  if (!records) return tl::unexpected(records.error());
  if (body_type_ == 'x') {
    pax_ = *std::move(records);
    return {};
  }
  if (records->path || records->size || records->link_path) {
    return Refuse(Code::kAmbiguous, "a global header that renames or resizes entries");
  }
  global_ = true;
  return {};
}

std::string TarScanner::NameOf(const TarHeader& header) const {
  if (pax_ && pax_->path) return *pax_->path;
  return long_name_ ? *long_name_ : header.name;
}

Expected<std::uint64_t> TarScanner::SizeOf(const TarHeader& header) const {
  if (!pax_ || !pax_->size || *pax_->size == header.size) return header.size;
  // What the field cannot hold, every program takes from the PAX header.
  if (*pax_->size >= kBeyondOctal && header.size == 0) return *pax_->size;
  return Refuse(Code::kAmbiguous, "a PAX size that is not the header's", Printable(NameOf(header)));
}

Expected<void> TarScanner::AddEntry(const TarHeader& header) {
  std::string name = NameOf(header);
  if (const auto code = ForbiddenType(header.type)) {
    return Refuse(*code, std::string(Describe(*code)), Printable(name));
  }
  if (long_link_ || (pax_ && pax_->link_path)) {
    return Refuse(Code::kAmbiguous, "the target of a link for what is none", Printable(name));
  }
  const auto size = SizeOf(header);
  if (!size) return tl::unexpected(size.error());
  // Old archives mark a folder by a slash at its name; not every program sees it with later forms.
  const bool slash = name.ends_with('/');
  const bool old_folder = header.type == '\0' && slash;
  if (old_folder != (header.type == '\0' && header.name.ends_with('/'))) {
    return Refuse(Code::kAmbiguous, "a folder by one of its names and a file by the other",
                  Printable(name));
  }
  if (header.type == '0' && slash) {
    return Refuse(Code::kAmbiguous, "a file whose name ends like a folder's", Printable(name));
  }
  const bool is_folder = header.type == '5' || old_folder;
  if (is_folder && *size != 0) {
    return Refuse(Code::kAmbiguous, "a folder with content", Printable(name));
  }
  entries_.push_back(
      {.name = std::move(name), .is_folder = is_folder, .size = *size, .mode = header.mode});
  pax_.reset();
  long_name_.reset();
  global_ = false;
  left_ = *size;
  phase_ = left_ > 0 ? Phase::kContent : Phase::kHeader;
  return {};
}

Expected<void> TarScanner::Finish() {
  if (!any_ && partial_.empty())
    return Refuse(Code::kTruncated, "an empty archive: not even its end is there");
  if (!any_) return Refuse(Code::kNoTar, "too short for a tar archive");
  if (phase_ != Phase::kEnd)
    return Refuse(Code::kTruncated, "the archive ends before its end marker");
  if (!IsZero(partial_)) return Refuse(Code::kTrailingData, "data after the end of the archive");
  return {};
}

std::optional<ScannedEntry> TarScanner::Next() {
  if (entries_.empty()) return std::nullopt;
  ScannedEntry entry = std::move(entries_.front());
  entries_.pop_front();
  return entry;
}

}  // namespace tidewaiter::extract
