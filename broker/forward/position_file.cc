#include "broker/forward/position_file.h"

#include <fcntl.h>

#include <charconv>
#include <string_view>
#include <utility>

#include "base/durable_file.h"
#include "base/printable.h"

namespace tidewaiter::forward {
namespace {

constexpr std::string_view kFirstWord = "next-index ";
constexpr std::size_t kMostBytes = 64;

// Only the text that Write makes of a number is one.
std::optional<std::uint64_t> Parse(std::string_view text) {
  if (!text.starts_with(kFirstWord) || !text.ends_with('\n')) return std::nullopt;
  text.remove_prefix(kFirstWord.size());
  text.remove_suffix(1);
  std::uint64_t index = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, index);
  if (error != std::errc() || rest != end || std::to_string(index) != text) return std::nullopt;
  return index;
}

}  // namespace

Result<PositionFile> PositionFile::Open(const std::string& state_dir, const std::string& name) {
  const UniqueFd parent(::open(state_dir.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!parent) return ErrnoError(errno, "open the state folder " + Quoted(state_dir));
  TW_ASSIGN(UniqueFd folder, OpenOwnFolder(parent.get(), "forward"));
  return PositionFile(std::move(folder), name + ".position");
}

Result<std::optional<std::uint64_t>> PositionFile::Read() const {
  const Result<std::string> text = ReadOwnFile(folder_.get(), name_, kMostBytes);
  if (!text && text.error().code == ErrorCode::kNotFound) return std::optional<std::uint64_t>();
  if (!text) return text.error();
  const std::optional<std::uint64_t> index = Parse(*text);
  if (!index) {
    return Fail(ErrorCode::kFailedPrecondition, "read " + Quoted(name_) + ": not a position");
  }
  return index;
}

Result<void> PositionFile::Write(std::uint64_t next_index) const {
  return ReplaceDurably(folder_.get(), name_,
                        std::string(kFirstWord) + std::to_string(next_index) + '\n');
}

}  // namespace tidewaiter::forward
