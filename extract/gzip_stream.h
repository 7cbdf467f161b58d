// What gzip has compressed, one member after another, decompressed by zlib. Each member's checksum
// and length are held against what came out of it: libarchive's filter looks at neither, and bytes
// that were changed on their way would pass. One thread.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "extract/refusal.h"

struct z_stream_s;

namespace tidewaiter::extract {

class GzipStream {
 public:
  // What every member begins with.
  static constexpr std::string_view kMagic = "\x1f\x8b\x08";
  // The next compressed bytes, which stay valid until it is called again; empty at their end.
  using Source = std::function<Expected<std::string_view>()>;

  explicit GzipStream(Source source);

  // The next piece, valid until the next call; empty at the end: nothing follows the last member
  // but zeros, with which tapes and blocks are filled up.
  // Refusals: corrupt, trailing-data, memory, and what the source says.
  Expected<std::string_view> Next();

 private:
  enum class Phase { kBetween, kMember, kPadding };
  struct Closer {
    void operator()(z_stream_s* stream) const noexcept;
  };

  Expected<void> Prepare();
  // In each phase, of what input_ has: it takes all of it, or changes the phase, or gives a piece.
  Expected<void> Begin();
  Expected<std::string_view> Inflate();
  Expected<void> SkipPadding();
  [[nodiscard]] Expected<std::string_view> End() const;

  const Source source_;
  std::string_view input_;
  std::string output_;
  std::unique_ptr<z_stream_s, Closer> stream_;
  Phase phase_ = Phase::kBetween;
  std::size_t matched_ = 0;  // bytes of kMagic that were met
  bool any_ = false;         // whether a member has ended
};

}  // namespace tidewaiter::extract
