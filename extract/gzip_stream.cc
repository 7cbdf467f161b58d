#include "extract/gzip_stream.h"

#include <fmt/format.h>
#include <zlib.h>

#include <utility>

#include "extract/tar_header.h"

namespace tidewaiter::extract {
namespace {

// What comes out is looked at, and copied, while it is in the processor's cache.
constexpr std::size_t kOutputBytes = std::size_t{64} << 10U;
constexpr int kLargestWindow = 15;
constexpr int kGzipAlone = 16;

tl::unexpected<Refusal> TrailingData() {
  return Refuse(Code::kTrailingData, "data after the end of what is compressed");
}

// zlib only reads what its interface takes as writable.
Bytef* Readable(std::string_view bytes) {
  return const_cast<Bytef*>(reinterpret_cast<const Bytef*>(bytes.data()));
}

}  // namespace

void GzipStream::Closer::operator()(z_stream_s* stream) const noexcept {
  ::inflateEnd(stream);
  delete stream;
}

GzipStream::GzipStream(Source source) : source_(std::move(source)) {}

Expected<void> GzipStream::Prepare() {
  auto stream = std::make_unique<z_stream>();
  if (::inflateInit2(stream.get(), kLargestWindow + kGzipAlone) != Z_OK) {
    return Refuse(Code::kMemory, "its compression needs more memory than there is");
  }
  stream_.reset(stream.release());
  output_.resize(kOutputBytes);
  return {};
}

Expected<std::string_view> GzipStream::Next() {
  if (!stream_) {
    if (auto ready = Prepare(); !ready) return tl::unexpected(ready.error());
  }
  while (true) {
    if (input_.empty()) {
      auto more = source_();
      if (!more) return more;
      if (more->empty()) return End();
      input_ = *more;
    }
    Expected<void> taken;
    switch (phase_) {
      case Phase::kBetween: taken = Begin(); break;
      case Phase::kPadding: taken = SkipPadding(); break;
      case Phase::kMember: {
        auto piece = Inflate();
        if (!piece || !piece->empty()) return piece;
        break;
      }
    }
    if (!taken) return tl::unexpected(taken.error());
  }
}

Expected<void> GzipStream::Begin() {
  if (any_ && matched_ == 0 && input_.front() == '\0') {
    phase_ = Phase::kPadding;
    return {};
  }
  while (!input_.empty() && matched_ < kMagic.size()) {
    if (input_.front() != kMagic[matched_]) {
      if (any_) return TrailingData();
      return Refuse(Code::kCorrupt, "decompress: no gzip member");
    }
    input_.remove_prefix(1);
    ++matched_;
  }
  if (matched_ < kMagic.size()) return {};
  // They may have come in two pieces: zlib gets them from here.
  ::inflateReset(stream_.get());
  stream_->next_in = Readable(kMagic);
  stream_->avail_in = static_cast<uInt>(kMagic.size());
  stream_->next_out = reinterpret_cast<Bytef*>(output_.data());
  stream_->avail_out = static_cast<uInt>(output_.size());
  ::inflate(stream_.get(), Z_NO_FLUSH);
  phase_ = Phase::kMember;
  matched_ = 0;
  return {};
}

Expected<std::string_view> GzipStream::Inflate() {
  stream_->next_in = Readable(input_);
  stream_->avail_in = static_cast<uInt>(input_.size());
  stream_->next_out = reinterpret_cast<Bytef*>(output_.data());
  stream_->avail_out = static_cast<uInt>(output_.size());
  const int status = ::inflate(stream_.get(), Z_NO_FLUSH);
  if (status == Z_MEM_ERROR) {
    return Refuse(Code::kMemory, "its compression needs more memory than there is");
  }
  // What did not fit comes with the next input, of which a member has at least its trailer.
  if (status != Z_OK && status != Z_STREAM_END) {
    return Refuse(Code::kCorrupt,
                  fmt::format("decompress: {}",
                              stream_->msg != nullptr ? stream_->msg : "a gzip member is broken"));
  }
  input_.remove_prefix(input_.size() - stream_->avail_in);
  if (status == Z_STREAM_END) {
    phase_ = Phase::kBetween;
    any_ = true;
  }
  return std::string_view(output_).substr(0, output_.size() - stream_->avail_out);
}

Expected<void> GzipStream::SkipPadding() {
  if (!IsZero(input_)) return TrailingData();
  input_ = {};
  return {};
}

Expected<std::string_view> GzipStream::End() const {
  if (phase_ == Phase::kMember || !any_) {
    return Refuse(Code::kCorrupt, "decompress: it ends amid a gzip member");
  }
  if (matched_ > 0) return TrailingData();
  return std::string_view();
}

}  // namespace tidewaiter::extract
