// What gzip has compressed: alone, in pieces of any size, and as an archive.
#include "extract/gzip_stream.h"

#include <gtest/gtest.h>
#include <zlib.h>

#include <string>

#include "tests/support/tar_bytes.h"
#include "tests/unit/extract/recording_sink.h"

namespace tidewaiter::extract {
namespace {

using testing::TarBytes;

constexpr std::size_t kTrailerBytes = 8;  // the checksum, then the length

std::string Gzip(std::string bytes, int level = Z_DEFAULT_COMPRESSION) {
  z_stream stream{};
  EXPECT_EQ(::deflateInit2(&stream, level, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
  std::string member(::deflateBound(&stream, bytes.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(bytes.data());
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(member.data());
  stream.avail_out = static_cast<uInt>(member.size());
  EXPECT_EQ(::deflate(&stream, Z_FINISH), Z_STREAM_END);
  member.resize(stream.total_out);
  ::deflateEnd(&stream);
  return member;
}

// `bytes` with the one that is so far from its end changed.
std::string Changed(std::string bytes, std::size_t from_end) {
  bytes[bytes.size() - from_end] ^= 1;
  return bytes;
}

// What comes out of `bytes`, which go in in pieces of that size; the code, where it is refused.
std::string Out(std::string_view bytes, std::size_t piece) {
  GzipStream stream([&]() -> Expected<std::string_view> {
    const std::string_view next = bytes.substr(0, piece);
    bytes.remove_prefix(next.size());
    return next;
  });
  std::string out;
  while (true) {
    const auto next = stream.Next();
    if (!next) return std::string(ToString(next.error().code));
    if (next->empty()) return out;
    out += *next;
  }
}

const std::string& Tar() {
  static const std::string tar = TarBytes().File("a", "pay 100 to alice").Ended();
  return tar;
}

TEST(GzipStream, PiecesOfAnySizeGiveTheSame) {
  std::string content;
  for (int i = 0; i < 30'000; ++i) content += std::to_string(i * i % 977);
  const std::string padding(1000, '\0');
  const std::string whole = Gzip(content) + Gzip("") + Gzip("end", 0) + padding;
  for (const std::size_t size : {std::size_t{1}, std::size_t{2}, std::size_t{4096}, whole.size()}) {
    EXPECT_EQ(Out(whole, size), content + "end") << size;
  }
}

// Much more comes out of a byte than is taken at once.
TEST(GzipStream, WhatDoesNotFitComesWithTheNextPiece) {
  const std::string zeros(1'000'000, '\0');
  for (const std::size_t size : {1U, 100U, 1U << 20U}) EXPECT_EQ(Out(Gzip(zeros), size), zeros);
}

TEST(GzipStream, EveryEndAmidAMemberIsCorrupt) {
  const std::string member = Gzip("some content", 0);
  for (std::size_t size = 0; size < member.size(); ++size) {
    EXPECT_EQ(Out(member.substr(0, size), 7), "corrupt") << size;
  }
}

TEST(GzipStream, EveryEndAmidALaterMemberIsRefused) {
  const std::string first = Gzip("content");
  const std::string second = Gzip(" and more", 0);
  for (std::size_t size = 1; size < second.size(); ++size) {
    const std::string code = size < GzipStream::kMagic.size() ? "trailing-data" : "corrupt";
    EXPECT_EQ(Out(first + second.substr(0, size), 7), code) << size;
  }
}

TEST(GzipStream, TheSourcesRefusalIsPassedOn) {
  GzipStream stream([] { return Refuse(Code::kUnreadable, "no"); });
  EXPECT_EQ(stream.Next().error().code, Code::kUnreadable);
}

TEST(GzippedArchive, ChangedContentIsCorrupt) {
  std::string archive = Gzip(Tar(), 0);
  archive.replace(archive.find("alice"), 5, "mally");
  EXPECT_EQ(CodeOf(archive), "corrupt");
}

TEST(GzippedArchive, AWrongChecksumIsCorrupt) {
  EXPECT_EQ(CodeOf(Changed(Gzip(Tar()), kTrailerBytes)), "corrupt");
}

TEST(GzippedArchive, AWrongLengthIsCorrupt) {
  EXPECT_EQ(CodeOf(Changed(Gzip(Tar()), 1)), "corrupt");
}

TEST(GzippedArchive, WithoutItsTrailerItIsCorrupt) {
  const std::string archive = Gzip(Tar());
  EXPECT_EQ(CodeOf(archive.substr(0, archive.size() - kTrailerBytes)), "corrupt");
}

TEST(GzippedArchive, MembersAreOneArchive) {
  const std::string archive = Gzip(Tar().substr(0, 700)) + Gzip(Tar().substr(700));
  RecordingSink sink;
  ASSERT_TRUE(ExtractBytes(archive, sink));
  EXPECT_EQ(sink.files.at("a"), "pay 100 to alice");
}

TEST(GzippedArchive, AWrongChecksumOfALaterMemberIsCorrupt) {
  EXPECT_EQ(CodeOf(Gzip(Tar().substr(0, 700)) + Changed(Gzip(Tar().substr(700)), kTrailerBytes)),
            "corrupt");
}

TEST(GzippedArchive, ABrokenMemberAfterTheArchivesEndIsCorrupt) {
  EXPECT_EQ(CodeOf(Gzip(Tar()) + Changed(Gzip(std::string(512, '\0')), kTrailerBytes)), "corrupt");
}

TEST(GzippedArchive, ZerosAfterTheEndArePadding) {
  EXPECT_EQ(CodeOf(Gzip(Tar()) + std::string(512, '\0')), "accepted");
  EXPECT_EQ(CodeOf(Gzip(Tar()) + std::string(1'000'000, '\0')), "accepted");
}

TEST(GzippedArchive, AnythingElseAfterTheEndIsTrailingData) {
  for (const std::string& rest : {std::string("x"), std::string("\x1f"), std::string("\x1f\x8b"),
                                  std::string("\x1f\x8b\x07"), std::string("BZh9"), Tar()}) {
    EXPECT_EQ(CodeOf(Gzip(Tar()) + rest), "trailing-data") << rest.substr(0, 8);
  }
}

// Python's gzip would take the member for more of the same, GNU gzip would not.
TEST(GzippedArchive, AnythingElseAfterZerosIsTrailingData) {
  const std::string zeros(300'000, '\0');
  EXPECT_EQ(CodeOf(Gzip(Tar()) + zeros + "x"), "trailing-data");
  EXPECT_EQ(CodeOf(Gzip(Tar().substr(0, 1024)) + zeros + Gzip(Tar().substr(1024))),
            "trailing-data");
}

TEST(GzippedArchive, ASecondCompressionIsAmbiguous) {
  EXPECT_EQ(CodeOf(Gzip(Gzip(Tar()))), "ambiguous");
}

TEST(GzippedArchive, WhatComesOutIsHeldAgainstWhatWentIn) {
  const std::string zeros = TarBytes().File("z", std::string(20U << 20U, '\0')).Ended();
  EXPECT_EQ(CodeOf(Gzip(zeros), {.max_ratio = 2000}), "accepted");
  EXPECT_EQ(CodeOf(Gzip(zeros), {.max_ratio = 500}), "compression-ratio");
}

}  // namespace
}  // namespace tidewaiter::extract
