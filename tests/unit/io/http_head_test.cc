#include "broker/io/http_head.h"

#include <gtest/gtest.h>

#include <string>

namespace tidewaiter::io {
namespace {

TEST(HttpHeadTest, ReadsStatusAndFieldsWithNamesInLowerCase) {
  const auto head = ParseHttpHead("HTTP/1.1 101 UPGRADED\r\nContent-Type:  a b \r\nX:\r\n\r\n");
  ASSERT_TRUE(head.has_value());
  EXPECT_EQ(head->status, 101);
  EXPECT_EQ(head->headers, (HttpHeaders{{"content-type", "a b"}, {"x", ""}}));
}

TEST(HttpHeadTest, StatusNeedsNoReason) {
  EXPECT_EQ(ParseHttpHead("HTTP/1.0 200\r\n\r\n")->status, 200);
  EXPECT_EQ(ParseHttpHead("HTTP/1.1 404 \r\n\r\n")->status, 404);
}

TEST(HttpHeadTest, TheFirstFieldOfANameCounts) {
  const auto head = ParseHttpHead("HTTP/1.1 200 OK\r\nA: 1\r\na: 2\r\n\r\n");
  ASSERT_TRUE(head.has_value());
  EXPECT_EQ(FindHeader(head->headers, "a"), "1");
  EXPECT_EQ(FindHeader(head->headers, "b"), "");
}

class NoHttpHeadTest : public ::testing::TestWithParam<std::string> {};

TEST_P(NoHttpHeadTest, IsRefused) {
  EXPECT_FALSE(ParseHttpHead(GetParam()).has_value());
}

INSTANTIATE_TEST_SUITE_P(
    Heads, NoHttpHeadTest,
    ::testing::Values("", "\r\n\r\n", "HTTP/1.1 200 OK", "HTTP/1.1 200 OK\r\n",
                      "HTTP/2 200 OK\r\n\r\n", "HTTP/1. 200 OK\r\n\r\n", "HTTP/1.1 20\r\n\r\n",
                      "HTTP/1.1 2000\r\n\r\n", "HTTP/1.1 -20 OK\r\n\r\n", "HTTP/1.1 099 OK\r\n\r\n",
                      "http/1.1 200 OK\r\n\r\n", "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
                      "HTTP/1.1 200 OK\r\n: no name\r\n\r\n", "HTTP/1.1 200 OK\r\na b: c\r\n\r\n",
                      "HTTP/1.1 200 OK\r\na: 1\r\n folded\r\n\r\n",
                      "HTTP/1.1 200 OK\r\na: \n\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\nrest",
                      std::string("HTTP/1.1 200 OK\r\na: \0\r\n\r\n", 26)));

TEST(HttpRequestHeadTest, ReadsMethodPathQueryAndFields) {
  const auto head = ParseHttpRequestHead("GET /a/b?c=/?d HTTP/1.0\r\nHost: h\r\n\r\n");
  ASSERT_TRUE(head.has_value());
  EXPECT_EQ(head->method, "GET");
  EXPECT_EQ(head->path, "/a/b");
  EXPECT_EQ(head->query, "c=/?d");
  EXPECT_EQ(head->minor, 0);
  EXPECT_EQ(head->headers, (HttpHeaders{{"host", "h"}}));
}

TEST(HttpRequestHeadTest, APathMayHaveNoQueryAndNothingIsDecoded) {
  const auto head = ParseHttpRequestHead("OPTIONS /%2e%2e HTTP/1.1\r\n\r\n");
  ASSERT_TRUE(head.has_value());
  EXPECT_EQ(head->path, "/%2e%2e");
  EXPECT_EQ(head->query, "");
  EXPECT_EQ(head->minor, 1);
}

class NoHttpRequestHeadTest : public ::testing::TestWithParam<std::string> {};

TEST_P(NoHttpRequestHeadTest, IsRefused) {
  EXPECT_FALSE(ParseHttpRequestHead(GetParam()).has_value());
}

INSTANTIATE_TEST_SUITE_P(
    Heads, NoHttpRequestHeadTest,
    ::testing::Values("", "\r\n\r\n", "GET /\r\n\r\n", "GET HTTP/1.1\r\n\r\n",
                      "GET  HTTP/1.1\r\n\r\n", "GET  / HTTP/1.1\r\n\r\n",
                      "GET / / HTTP/1.1\r\n\r\n", " / HTTP/1.1\r\n\r\n", "G(T / HTTP/1.1\r\n\r\n",
                      "GET * HTTP/1.1\r\n\r\n", "GET http://h/ HTTP/1.1\r\n\r\n",
                      "GET /\x7f HTTP/1.1\r\n\r\n", "GET /\xc3\xa4 HTTP/1.1\r\n\r\n",
                      "GET /\t HTTP/1.1\r\n\r\n", "GET / HTTP/2.0\r\n\r\n",
                      "GET / HTTP/1.11\r\n\r\n", "GET / HTTP/1.x\r\n\r\n", "GET / http/1.1\r\n\r\n",
                      "GET / HTTP/1.1\n\n", "GET / HTTP/1.1\r\n", "GET / HTTP/1.1\r\nno\r\n\r\n",
                      "GET / HTTP/1.1\r\na: 1\r\n b\r\n\r\n", "GET / HTTP/1.1\r\n\r\nbody",
                      std::string("GET /\0 HTTP/1.1\r\n\r\n", 20)));

}  // namespace
}  // namespace tidewaiter::io
