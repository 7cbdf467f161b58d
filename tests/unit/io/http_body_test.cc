#include "broker/io/http_body.h"

#include <gtest/gtest.h>

#include <string>

namespace tidewaiter::io {
namespace {

constexpr std::size_t kLimit = 16;

HttpBody Chunked(std::string_view raw) {
  return ReadHttpBody({.status = 500, .headers = {{"transfer-encoding", "chunked"}}}, raw, kLimit);
}

HttpBody OfLength(std::string length, std::string_view raw) {
  return ReadHttpBody({.status = 500, .headers = {{"content-length", std::move(length)}}}, raw,
                      kLimit);
}

TEST(HttpBodyTest, ChunksArePutTogether) {
  const HttpBody body = Chunked("3\r\nabc\r\n2;ext=1\r\nde\r\n0\r\n\r\n");
  EXPECT_EQ(body.text, "abcde");
  EXPECT_TRUE(body.complete);
}

TEST(HttpBodyTest, EveryPrefixOfChunksIsIncompleteAndReadsAsAPrefix) {
  const std::string whole = "3\r\nabc\r\n2\r\nde\r\n";
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const HttpBody body = Chunked(std::string_view(whole).substr(0, size));
    EXPECT_FALSE(body.complete) << size;
    EXPECT_TRUE(std::string_view("abcde").starts_with(body.text)) << size;
  }
}

TEST(HttpBodyTest, BrokenChunksEndWhereTheyBreak) {
  for (const std::string_view raw :
       {"3\r\nabcdefgh\r\n", "zz\r\nabc\r\n", "-1\r\nabc", "ffffffffffffffffff\r\nabc"}) {
    const HttpBody body = Chunked(raw);
    EXPECT_TRUE(body.complete) << raw;
    EXPECT_LE(body.text.size(), 3U) << raw;
  }
}

TEST(HttpBodyTest, AHugeChunkIsCutAtTheLimit) {
  const HttpBody body = Chunked("ffffffffffffffff\r\n" + std::string(40, 'x'));
  EXPECT_EQ(body.text, std::string(kLimit, 'x'));
  EXPECT_TRUE(body.complete);
}

TEST(HttpBodyTest, FramingWithoutTextEndsToo) {
  EXPECT_TRUE(Chunked("1;" + std::string(kLimit * 4, 'x')).complete);
}

TEST(HttpBodyTest, ALengthEndsTheBody) {
  EXPECT_FALSE(OfLength("5", "abcd").complete);
  EXPECT_EQ(OfLength("5", "abcdefg").text, "abcde");
  EXPECT_TRUE(OfLength("5", "abcdefg").complete);
  EXPECT_TRUE(OfLength("0", "").complete);
}

TEST(HttpBodyTest, ABodyOfUnknownLengthIsCompleteAtTheLimitOnly) {
  for (const std::string length : {"", "x", "99999999999999999999999", "100"}) {
    EXPECT_FALSE(OfLength(length, "abc").complete) << length;
    EXPECT_EQ(OfLength(length, std::string(kLimit + 1, 'x')).text.size(), kLimit) << length;
    EXPECT_TRUE(OfLength(length, std::string(kLimit + 1, 'x')).complete) << length;
  }
}

}  // namespace
}  // namespace tidewaiter::io
