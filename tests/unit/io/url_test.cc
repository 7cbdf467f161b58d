#include "broker/io/url.h"

#include <gtest/gtest.h>

namespace tidewaiter::io {
namespace {

TEST(UrlEncode, EncodesAllButTheUnreserved) {
  EXPECT_EQ(UrlEncode("a/b@c:d?e&f#g h\n"), "a%2Fb%40c%3Ad%3Fe%26f%23g%20h%0A");
  EXPECT_EQ(UrlEncode("a/b", true), "a/b");
}

}  // namespace
}  // namespace tidewaiter::io
