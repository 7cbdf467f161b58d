#include "base/mask_credentials.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace tidewaiter {
namespace {

TEST(MaskCredentials, TakesThePasswordOutOfAUrl) {
  EXPECT_EQ(MaskCredentials("https://user:password@host/path?q#f"), "https://***@host/path?q#f");
  EXPECT_EQ(MaskCredentials("pull 'https://user:password@host': refused"),
            "pull 'https://***@host': refused");
  EXPECT_EQ(MaskCredentials("a+b.c-d://:password@host"), "a+b.c-d://***@host");
  // Some take a token for the name.
  EXPECT_EQ(MaskCredentials("https://token@host"), "https://***@host");
  EXPECT_EQ(MaskCredentials("https://user:@host"), "https://***@host");
}

// A blank, and behind it what could end it.
TEST(MaskCredentials, TakesAPasswordThatIsNoUrlAnyMore) {
  EXPECT_EQ(MaskCredentials("x://user:my s3cr3t@pass@host/a b@c"), "x://***@host/a b@c");
}

TEST(MaskCredentials, TakesThePasswordOutOfAnImageReference) {
  const std::string digest = "@sha256:" + std::string(64, 'a');
  EXPECT_EQ(MaskCredentials("user:password@host:5000/lab/x:1.0.0" + digest),
            "***@host:5000/lab/x:1.0.0" + digest);
  EXPECT_EQ(MaskCredentials("image 'user:password@host/x' is not allowed"),
            "image '***@host/x' is not allowed");
  EXPECT_EQ(MaskCredentials("docker.io:user:password@host"), "***@host");
}

TEST(MaskCredentials, NastyShapesGiveNothingAway) {
  for (const std::string text : {
           "https://user:s3cr3t@@host",
           "https://user:@s3cr3t@host",
           "https://user:p@s3cr3t@host/x@sha256:00",
           "https://user:p/s3cr3t@host",
           "https://user:12/s3cr3t@host",
           "https://user:p@x/s3cr3t@host",
           "https://user:p?s3cr3t@host",
           "https://user:p#s3cr3t@host",
           "https://user:p\\s3cr3t@host",
           "https://user:p's3cr3t@host",
           "https://user:p\"s3cr3t@host",
           "https://user:p://s3cr3t@host",
           "https://user:p:s3cr3t@host",
           "https://user:p s3cr3t@host",
           "https://user:p\ns3cr3t@host",
           "https://user:p s3cr3t r@host x",
           "https://s3cr3t@host",
           "http://a:s3cr3t@b,http://c:s3cr3t@d",
           "http://a:s3cr3t@b http://c:s3cr3t@d",
           "https%3A%2F%2Fuser:s3cr3t@host",
           "https://user:s3cr3t",
           "https://user:s3cr3t...",
           "https://user:s3cr3t/",
           "'https://user:s3cr3t'",
           "user:s3cr3t@host/x?http://y",
           "user:s3cr3t@",
           ":s3cr3t@host",
           "user:p@s3cr3t@host",
           "user:sha256:s3cr3t@host",
           "user:p@sha256:s3cr3t@host",
           "x=user:s3cr3t@host",
           "((user:s3cr3t@host",
           "@user:s3cr3t@host",
       }) {
    EXPECT_EQ(MaskCredentials(text).find("s3cr3t"), std::string::npos)
        << text << " -> " << MaskCredentials(text);
  }
}

TEST(MaskCredentials, WhatIsNoPasswordStays) {
  for (const std::string text : {"",
                                 " ",
                                 "@",
                                 "@@",
                                 "://",
                                 "://@",

                                 "x",
                                 "a b  c ",
                                 "https://host",
                                 "https://host:443/x",
                                 "get https://host:443: refused",
                                 "get https://host: refused",
                                 "https://[::1]:5000/x",
                                 "https://host:443...",
                                 "unix:///run/docker.sock",
                                 "alice@example.com",
                                 "host:5000/lab/x:1.0.0@sha256:ab",
                                 "busybox@sha512:ab",
                                 "/srv/a:b@c",
                                 "'/srv/a:b@c'",
                                 "2026-10-02T12:34:56.000000789Z",
                                 "network none, user 65534:65534",
                                 "https://***@host",
                                 "a@b:c",
                                 "\xff\xfe@",
                                 "hmac-sha256:00"}) {
    EXPECT_EQ(MaskCredentials(text), text);
  }
}

TEST(MaskCredentials, MaskingTwiceIsMaskingOnce) {
  for (const std::string text :
       {"https://user:p@s@host", "user:p@host x:y@z", "https://u:p w", "https://u:p w@x y:z@a"}) {
    const std::string once = MaskCredentials(text);
    EXPECT_EQ(MaskCredentials(once), once) << text;
  }
}

}  // namespace
}  // namespace tidewaiter
