#include "broker/io/chunked_body.h"

#include <gtest/gtest.h>

#include <string>

namespace tidewaiter::io {
namespace {

struct Read {
  std::string text;
  bool complete = false;
  bool broken = false;
  friend bool operator==(const Read&, const Read&) = default;
};

Read InPieces(std::string_view raw, std::size_t piece) {
  ChunkedBody body;
  Read read;
  for (; !raw.empty() && !read.broken; raw.remove_prefix(std::min(piece, raw.size()))) {
    const auto fed =
        body.Feed(raw.substr(0, piece), [&](std::string_view data) { read.text += data; });
    read.broken = !fed.has_value();
  }
  read.complete = body.complete();
  return read;
}

TEST(ChunkedBodyTest, ChunksArePutTogetherHoweverTheyCome) {
  constexpr std::string_view kRaw = "3\r\nabc\r\n0a;ext=1\r\n0123456789\r\n0\r\n\r\n";
  for (std::size_t piece = 1; piece <= kRaw.size(); ++piece) {
    EXPECT_EQ(InPieces(kRaw, piece), (Read{.text = "abc0123456789", .complete = true})) << piece;
  }
}

TEST(ChunkedBodyTest, NoPrefixIsComplete) {
  constexpr std::string_view kRaw = "3\r\nabc\r\n0\r\n";
  for (std::size_t size = 0; size < kRaw.size(); ++size) {
    EXPECT_FALSE(InPieces(kRaw.substr(0, size), 4).complete) << size;
  }
}

TEST(ChunkedBodyTest, ChunkOfAnySizeIsHandedOnAsItComes) {
  EXPECT_EQ(InPieces("fffffffffffffff\r\nabc", 100), (Read{.text = "abc"}));
}

TEST(ChunkedBodyTest, WhatIsNoChunkIsAnError) {
  for (const std::string_view raw :
       {"\r\n", "x\r\n", "-1\r\n", "3\nabc", "3\r\nabcd\r\n", "3\r\nabc\n0\r\n", "3\rabc", "3;\n",
        "0000000000000001\r\na", ";\r\n", " 3\r\n"}) {
    EXPECT_TRUE(InPieces(raw, 100).broken) << raw;
  }
}

TEST(ChunkedBodyTest, ExtensionsAreBounded) {
  EXPECT_TRUE(InPieces("3;" + std::string(300, 'x'), 7).broken);
}

TEST(ChunkedBodyTest, WhatWasBrokenStaysBroken) {
  ChunkedBody body;
  const auto ignore = [](std::string_view) {};
  EXPECT_FALSE(body.Feed("x", ignore).has_value());
  EXPECT_FALSE(body.Feed("3\r\nabc\r\n0\r\n\r\n", ignore).has_value());
  EXPECT_FALSE(body.complete());
}

}  // namespace
}  // namespace tidewaiter::io
