// A container's log as the engine answers it, cut anywhere: a second reader, which has all of it at
// once, finds the same messages; line ends are put back behind lines in pieces and nowhere else;
// and a reading that begins at the mark of another comes to what that one came to.

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "broker/docker/log_messages.h"
#include "broker/docker/log_tally.h"

namespace {

using tidewaiter::docker::EngineTime;
using tidewaiter::docker::LogMark;
using tidewaiter::docker::LogMessages;
using tidewaiter::docker::LogPiece;
using tidewaiter::docker::LogTally;
using tidewaiter::run::OutputStream;

constexpr std::size_t kFullPiece = 16384;
constexpr std::size_t kMaxTime = 40;

struct Message {
  OutputStream stream = OutputStream::kStdout;
  EngineTime time;
  std::string text;
  bool whole = false;
  friend bool operator==(const Message&, const Message&) = default;
};

struct Read {
  std::vector<Message> messages;
  bool failed = false;
  bool cut = false;  // ends inside a frame
  friend bool operator==(const Read&, const Read&) = default;
};

std::size_t Index(OutputStream stream) {
  return stream == OutputStream::kStdout ? 0 : 1;
}

void Take(const LogPiece& piece, std::vector<Message>& messages) {
  if (piece.first != (messages.empty() || messages.back().whole)) std::abort();
  if (piece.first) messages.push_back({.stream = piece.stream, .time = piece.time, .text = {}});
  Message& message = messages.back();
  if (message.stream != piece.stream || message.time != piece.time) std::abort();
  // The text of bytes is what a char is for.
  message.text.append(reinterpret_cast<const char*>(piece.data.data()), piece.data.size());
  message.whole = piece.last;
}

Read Feed(std::string_view data, std::size_t slice, LogTally* tally = nullptr) {
  Read read;
  LogMessages messages;
  for (; !data.empty(); data.remove_prefix(std::min(slice, data.size()))) {
    const auto here = std::as_bytes(std::span(data.substr(0, slice)));
    const bool fed = messages
                         .Feed(here,
                               [&](const LogPiece& piece) {
                                 if (read.failed) std::abort();
                                 Take(piece, read.messages);
                                 if (tally != nullptr) tally->Add(piece);
                               })
                         .has_value();
    if (read.failed && fed) std::abort();
    read.failed = !fed;
  }
  read.cut = !read.failed && !messages.Finish();
  return read;
}

// The second reader: frames, each a time, a blank and what was written.
class Reference {
 public:
  explicit Reference(std::string_view data) {
    while (!read_.failed && !data.empty()) {
      const std::string_view frame = data.substr(0, FrameSize(data));
      data.remove_prefix(frame.size());
      if (!read_.failed && frame.size() > 8) OnFrame(frame, read_.cut);
    }
    if (read_.failed) read_.cut = false;
  }
  [[nodiscard]] const Read& read() const { return read_; }
  // What the engine answers: all of it at an earlier time, and what there is from a time on.
  [[nodiscard]] std::string First(std::size_t count) const {
    std::string out;
    for (const Frame& frame : std::span(frames_).first(count)) out += frame.bytes;
    return out;
  }
  [[nodiscard]] std::string From(EngineTime since) const {
    std::string out;
    for (const Frame& frame : frames_) {
      if (frame.time >= since) out += frame.bytes;
    }
    return out;
  }
  // Whether nothing older than `since` comes after so many, but the rest of lines in pieces.
  [[nodiscard]] bool HadAllBefore(EngineTime since, std::size_t count) const {
    std::array<const Frame*, 2> last{};
    for (const Frame& frame : frames_) {
      const Frame* before = std::exchange(last.at(frame.bytes[0] == 2 ? 1 : 0), &frame);
      if (count > 0) {
        --count;
        continue;
      }
      const bool goes_on =
          before != nullptr && before->time == frame.time && !before->bytes.ends_with('\n');
      if (frame.time < since && !goes_on) return false;
    }
    return true;
  }
  [[nodiscard]] std::size_t size() const { return frames_.size(); }

 private:
  struct Frame {
    EngineTime time;
    std::string_view bytes;
  };
  struct Stream {
    std::optional<EngineTime> in;  // the line whose full piece was the last message
    std::optional<EngineTime> due;
  };

  // Of the first one.
  std::size_t FrameSize(std::string_view data) {
    read_.cut = data.size() < 8;
    if (read_.cut) return data.size();
    std::uint64_t size = 0;
    for (const char c : data.substr(4, 4)) size = size * 256 + static_cast<unsigned char>(c);
    read_.failed = data[0] < 0 || data[0] > 3 || data.substr(1, 3) != std::string_view("\0\0\0", 3);
    read_.cut = data.size() - 8 < size;
    return read_.cut ? data.size() : 8 + size;
  }

  void OnFrame(std::string_view frame, bool is_cut) {
    const std::string_view payload = frame.substr(8);
    if (frame[0] == 3) read_.failed = !is_cut || payload.size() >= 512;
    if (read_.failed || frame[0] == 3) return;
    const std::size_t blank = std::min(payload.find(' '), payload.size());
    read_.failed = blank > kMaxTime || (blank == payload.size() && !is_cut);
    if (read_.failed || blank == payload.size()) return;
    const auto time = tidewaiter::docker::ParseEngineTime(payload.substr(0, blank));
    read_.failed = !time;
    const std::string_view text = payload.substr(blank + 1);
    if (!time || (text.empty() && is_cut)) return;
    frames_.push_back({*time, frame});
    OnMessage({.stream = frame[0] == 2 ? OutputStream::kStderr : OutputStream::kStdout,
               .time = *time,
               .text = std::string(text),
               .whole = !is_cut});
  }

  void OnMessage(Message message) {
    Stream& stream = streams_.at(Index(message.stream));
    if (stream.due) {
      read_.messages.push_back(
          {.stream = message.stream, .time = *stream.due, .text = "\n", .whole = true});
    }
    const bool open = !message.text.ends_with('\n');
    const bool full = message.text.size() >= kFullPiece;
    stream.due = open && !full && stream.in == message.time ? stream.in : std::nullopt;
    stream.in = open && full ? std::optional(message.time) : std::nullopt;
    read_.messages.push_back(std::move(message));
  }

  Read read_;
  std::vector<Frame> frames_;
  std::array<Stream, 2> streams_;
};

std::string TextOf(const Read& read, OutputStream stream) {
  std::string text;
  for (const Message& message : read.messages) {
    if (message.stream == stream) text += message.text;
  }
  return text;
}

// A reading while there were so many messages, and then one of all of them from its mark on.
void CheckMark(const Reference& log, const Read& whole, std::size_t count, EngineTime next) {
  LogTally tally({}, next);
  const std::string had = log.First(count);
  const Read first = Feed(had, had.size(), &tally);
  const std::optional<LogMark> mark = tally.Next();
  if (!mark || !log.HadAllBefore(next, count)) return;
  if (mark->since != next || mark->kept > tally.kept()) std::abort();
  const std::string rest = log.From(next);
  LogTally later(*mark, next);
  const Read again = Feed(rest, rest.size(), &later);
  if (again.failed || again.cut || later.first() != mark->first) std::abort();
  // Only a whole line can be told from the pieces of another.
  if (!again.messages.front().text.ends_with('\n')) std::abort();
  for (const OutputStream stream : {OutputStream::kStdout, OutputStream::kStderr}) {
    const std::string text = TextOf(whole, stream);
    const std::uint64_t before = mark->bytes.at(Index(stream));
    if (tally.bytes(stream) != TextOf(first, stream).size()) std::abort();
    if (before > tally.bytes(stream) || later.bytes(stream) != text.size()) std::abort();
    if (text.substr(before) != TextOf(again, stream)) std::abort();
  }
}

// A message for each byte, of sizes that would not be found by chance.
std::string Described(std::string_view bytes) {
  constexpr std::size_t kMaxMessages = 12;
  constexpr std::array<std::size_t, 8> kSizes{
      0, 1, 5, 100, kFullPiece - 1, kFullPiece, kFullPiece + 1, kFullPiece};
  std::string log;
  unsigned seconds = 30;
  for (const char c : bytes.substr(0, kMaxMessages)) {
    const auto value = static_cast<unsigned char>(c);
    if ((value & 2U) != 0) seconds = (value & 4U) != 0 ? seconds - 1 : seconds + 1;
    std::string text = "2026-11-22T18:51:" + std::to_string(seconds) + "Z ";
    text.append(kSizes.at((value >> 3U) & 7U), static_cast<char>('a' + log.size() % 26));
    if ((value & 64U) != 0) text += '\n';
    const char type = (value & 1U) != 0 ? '\2' : '\1';
    const auto size = static_cast<std::uint32_t>(text.size());
    log += {type,
            0,
            0,
            0,
            0,
            static_cast<char>(size >> 16U),
            static_cast<char>(size >> 8U),
            static_cast<char>(size)};
    log += text;
  }
  return log;
}

}  // namespace

// The first byte says how long the slices are and whether what follows is the log or describes one;
// the second, of which message the time is that the next reading begins with, and how many messages
// are not there yet before.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  // The text of bytes is what a char is for.
  const std::string_view given(reinterpret_cast<const char*>(data + 2), size - 2);
  const bool described = data[0] >= 128;
  const std::string log = described ? Described(given) : std::string(given);
  const Reference reference(log);
  const Read whole = Feed(log, log.size());
  const std::size_t step = described ? 997 : 1;
  if (whole != reference.read() || whole != Feed(log, (data[0] % 128U + 1) * step)) std::abort();
  if (whole.failed || whole.cut || whole.messages.empty()) return 0;
  const std::size_t missing = (std::size_t{data[1]} >> 4U) % reference.size();
  const EngineTime next = whole.messages.at((data[1] & 15U) % whole.messages.size()).time;
  CheckMark(reference, whole, reference.size() - missing, next);
  return 0;
}
