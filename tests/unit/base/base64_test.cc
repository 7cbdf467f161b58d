#include "base/base64.h"

#include <gtest/gtest.h>

namespace tidewaiter {
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

// Section 3.5: bits beyond the last byte, among others.
TEST(Base64Test, PaddedThereIsOneTextForEachBytes) {
  for (const std::string bytes : {"", "f", "fo", "foo", "foob", "fooba", "foobar"}) {
    EXPECT_EQ(DecodePaddedBase64(EncodeBase64(bytes)), bytes);
  }
  for (const char* text : {"Zg", "Zg=", "Zh==", "Zm9=", "Zg==Zg==", " Zg==", "Zg==\n",
                           "Zg= =", "====", "Z===", "Zm9v\nZm9v", "Zm9-", "=g==", "Zg==\n\n\n\n"}) {
    EXPECT_EQ(DecodePaddedBase64(text), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace tidewaiter
