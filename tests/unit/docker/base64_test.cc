#include "broker/docker/base64.h"

#include <gtest/gtest.h>

namespace tidewaiter::docker {
namespace {

// RFC 4648 section 10.
TEST(Base64Test, EncodesTheVectorsOfTheRfc) {
  EXPECT_EQ(EncodeBase64(""), "");
  EXPECT_EQ(EncodeBase64("f"), "Zg==");
  EXPECT_EQ(EncodeBase64("fo"), "Zm8=");
  EXPECT_EQ(EncodeBase64("foobar"), "Zm9vYmFy");
}

TEST(Base64Test, UrlAlphabetHasNoSlashAndNoPlus) {
  EXPECT_EQ(EncodeBase64("\xfb\xff\xfe"), "+//+");
  EXPECT_EQ(EncodeBase64Url("\xfb\xff\xfe"), "-__-");
}

TEST(Base64Test, DecodesWhatItEncodesWithAndWithoutPadding) {
  EXPECT_EQ(DecodeBase64("Zm8="), "fo");
  EXPECT_EQ(DecodeBase64("Zm8"), "fo");
  EXPECT_EQ(DecodeBase64("Zm9vYmFy"), "foobar");
}

TEST(Base64Test, RefusesWhatNoEncoderWrites) {
  EXPECT_FALSE(DecodeBase64("Z"));
  EXPECT_FALSE(DecodeBase64("Zm 8"));
  EXPECT_FALSE(DecodeBase64("Zm9="));  // left-over bits
  EXPECT_FALSE(DecodeBase64("Zg==="));
  EXPECT_FALSE(DecodeBase64(std::string(70000, 'A')));
}

}  // namespace
}  // namespace tidewaiter::docker
