// Signed notes, keys and checkpoints: against the example of the format's first implementation
// (Go's golang.org/x/mod/sumdb/note), and what strangers could send.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "audit/checkpoint.h"
#include "audit/signed_note.h"
#include "audit/signing_key.h"

namespace tidewaiter::audit {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kSecret[] =
    "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";
constexpr char kPublic[] = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
constexpr char kText[] =
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n";
constexpr char kSignature[] =
    "\xE2\x80\x94 PeterNeumann "
    "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM="
    "\n";
const std::string kNote = std::string(kText) + "\n" + kSignature;

std::string Message(const auto& result) {
  return result ? "none" : result.error().message;
}

TEST(SignedNote, IsTheOneOfTheFirstImplementation) {
  const auto secret = SigningKey::Parse(kSecret);
  ASSERT_TRUE(secret) << secret.error().message;
  EXPECT_EQ(secret->verifier().ToString(), kPublic);
  EXPECT_EQ(secret->ToString(), kSecret);
  const auto note = SignedNote::Sign(kText, {&*secret});
  ASSERT_TRUE(note);
  EXPECT_EQ(note->ToString(), kNote);
}

TEST(SignedNote, ReadsThatOne) {
  const auto note = SignedNote::Parse(kNote);
  ASSERT_TRUE(note) << note.error().message;
  EXPECT_EQ(note->text(), kText);
  EXPECT_EQ(note->ToString(), kNote);
  EXPECT_TRUE(note->IsSignedBy(*VerifierKey::Parse(kPublic)));
}

TEST(SignedNote, AnyOtherBitIsNoSignature) {
  const auto key = VerifierKey::Parse(kPublic);
  ASSERT_TRUE(key);
  for (std::size_t i = 0; i < kNote.size(); ++i) {
    for (unsigned bit = 0; bit < 8; ++bit) {
      std::string forged = kNote;
      forged[i] = static_cast<char>(static_cast<unsigned char>(forged[i]) ^ (1U << bit));
      const auto note = SignedNote::Parse(forged);
      EXPECT_FALSE(note && note->IsSignedBy(*key)) << "bit " << bit << " of byte " << i;
    }
  }
}

TEST(SignedNote, IsSignedByWhoHasTheKeyAlone) {
  const auto one = SigningKey::Generate("tidewaiter/one");
  const auto same_name = SigningKey::Generate("tidewaiter/one");
  const auto other = SigningKey::Generate("tidewaiter/other");
  ASSERT_TRUE(one && same_name && other);
  const auto note = SignedNote::Sign("text\n", {&*one, &*other});
  ASSERT_TRUE(note);
  EXPECT_TRUE(note->IsSignedBy(one->verifier()));
  EXPECT_TRUE(note->IsSignedBy(other->verifier()));
  EXPECT_FALSE(note->IsSignedBy(same_name->verifier()));
}

// C2SP: a verifier rejects a note where any signature by a key that it knows is bad.
TEST(SignedNote, ABadSignatureBesideAGoodOneIsANo) {
  const auto key = SigningKey::Generate("tidewaiter/one");
  ASSERT_TRUE(key);
  const std::string good = SignedNote::Sign("text\n", {&*key})->ToString();
  const std::string bad = SignedNote::Sign("other\n", {&*key})->ToString();
  const std::string signature = bad.substr(bad.find("\n\n") + 2);
  const auto note = SignedNote::Parse(good + signature);
  ASSERT_TRUE(note);
  EXPECT_FALSE(note->IsSignedBy(key->verifier()));
}

TEST(SignedNote, TextMayHaveEmptyLines) {
  const auto key = SigningKey::Generate("tidewaiter/one");
  ASSERT_TRUE(key);
  const auto note = SignedNote::Parse(SignedNote::Sign("a\n\nb\n", {&*key})->ToString());
  ASSERT_TRUE(note);
  EXPECT_EQ(note->text(), "a\n\nb\n");
  EXPECT_TRUE(note->IsSignedBy(key->verifier()));
}

TEST(SignedNote, WhatIsNoneIsRefusedWithACause) {
  const std::string good = kSignature;
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"", "no empty line"},
      {"text\n", "no empty line"},
      {"text\n\n", "no signature"},
      {"text\n\nsigned\n", "is no signature"},
      {"text\n\n" + good.substr(0, good.size() - 1), "does not end"},
      {"text\n\n\xE2\x80\x94 name\n", "has no name"},
      {"text\n\n\xE2\x80\x94  AAAAAAAA\n", "has no name"},
      {"text\n\n\xE2\x80\x94 a+b AAAAAAAA\n", "has no name"},
      {"text\n\n\xE2\x80\x94 a\xC2\xA0"
       "b AAAAAAAA\n",
       "has no name"},
      {"te\xFFxt\n\n" + good, "not UTF-8"},
      {"text\n\n\xE2\x80\x94 name AAAA\n", "not base64"},
      {"text\n\n\xE2\x80\x94 name AAAAAA\n", "not base64"},
      {"te\rxt\n\n" + good, "control character"},
      {std::string("te\0xt\n\n", 7) + good, "control character"},
      {std::string(kMaxNoteBytes, 'a') + "\n\n" + good, "too long"},
  };
  for (const auto& [bytes, why] : cases) {
    EXPECT_THAT(Message(SignedNote::Parse(bytes)), HasSubstr(why)) << bytes.substr(0, 100);
  }
  std::string many = "text\n\n";
  for (std::size_t i = 0; i <= kMaxNoteSignatures; ++i) many += good;
  EXPECT_THAT(Message(SignedNote::Parse(many)), HasSubstr("too many signatures"));
}

TEST(SignedNote, WhatNobodyCouldReadAgainIsNotSigned) {
  const auto key = SigningKey::Generate("tidewaiter/one");
  ASSERT_TRUE(key);
  for (const std::string& text : {std::string(), std::string("no feed"), std::string("a\rb\n"),
                                  std::string("\xFF\n"), std::string(kMaxNoteBytes, 'a') + "\n"}) {
    EXPECT_FALSE(SignedNote::Sign(text, {&*key})) << text.substr(0, 20);
  }
  EXPECT_FALSE(SignedNote::Sign("text\n", {}));
}

TEST(VerifierKey, WhatIsNoneIsRefusedWithACause) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"", "NAME+HASH+KEY"},
      {"name+c74f20a3", "NAME+HASH+KEY"},
      {"+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW", "its name"},
      {"a b+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW", "its name"},
      {std::string(kPublic) + "\n", "base64"},
      {"PeterNeumann+c74f20a3+ARpc", "32 bytes"},
      {"PeterNeumann+c74f20a3+AhpcphcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW", "Ed25519"},
      {"PeterNeumann+c74f20a4+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW", "its hash"},
      {"PeterNeumanm+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW", "its hash"},
  };
  for (const auto& [text, why] : cases) {
    EXPECT_THAT(Message(VerifierKey::Parse(text)), HasSubstr(why)) << text;
  }
}

TEST(SigningKey, WhatIsNoneIsRefusedAndNotQuoted) {
  const std::string secret = kSecret;
  const std::string seed = secret.substr(secret.rfind('+', secret.size() - 40) + 1);
  for (const std::string& text :
       {secret.substr(12), secret + "\n", secret.substr(0, secret.size() - 4),
        std::string("PRIVATE+KEY+PeterNeumann+c74f20a4+") + secret.substr(34)}) {
    const auto key = SigningKey::Parse(text);
    ASSERT_FALSE(key) << text;
    EXPECT_THAT(key.error().message, Not(HasSubstr(seed.substr(0, 8))));
    EXPECT_THAT(key.error().message, HasSubstr("signing key"));
  }
}

TEST(SigningKey, TwoNewOnesAreNotTheSame) {
  const auto one = SigningKey::Generate("tidewaiter/one");
  const auto other = SigningKey::Generate("tidewaiter/one");
  ASSERT_TRUE(one && other);
  EXPECT_NE(one->ToString(), other->ToString());
  const auto again = SigningKey::Parse(one->ToString());
  ASSERT_TRUE(again);
  EXPECT_EQ(again->verifier(), one->verifier());
  EXPECT_FALSE(SigningKey::Generate("with space"));
  EXPECT_FALSE(SigningKey::Generate(""));
  EXPECT_FALSE(SigningKey::Generate("a+b"));
}

TEST(Checkpoint, IsThreeLines) {
  TreeHasher hasher;
  const Checkpoint checkpoint{.origin = "tidewaiter/one", .size = 42, .root = hasher.Empty()};
  const std::string text = "tidewaiter/one\n42\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n";
  EXPECT_EQ(checkpoint.ToString(), text);
  const auto read = Checkpoint::Parse(text);
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(*read, checkpoint);
  EXPECT_TRUE(Checkpoint::Parse(text + "an extension\n"));
}

TEST(Checkpoint, AnEdgeIsOfItsSizeAndMakesItsRoot) {
  TreeHasher hasher;
  CompactRange tree;
  for (const char* entry : {"a", "b", "c"}) tree.Append(hasher, hasher.Leaf(entry));
  const Checkpoint checkpoint = Checkpoint::WithEdge("tidewaiter/one", tree);
  EXPECT_TRUE(checkpoint.Edge());
  Checkpoint other = checkpoint;
  std::swap(other.extensions[0], other.extensions[1]);
  EXPECT_THAT(Message(other.Edge()), HasSubstr("does not make its root"));
  other = checkpoint;
  other.extensions.pop_back();
  EXPECT_THAT(Message(other.Edge()), HasSubstr("not the edge of a tree of its size"));
  other.extensions.emplace_back("AAAA");
  EXPECT_THAT(Message(other.Edge()), HasSubstr("32 bytes"));
}

TEST(Checkpoint, WhatIsNoneIsRefusedWithACause) {
  const std::string root = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n";
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"", "origin"},
      {"\n42\n" + root, "origin"},
      {"a\n042\n" + root, "number"},
      {"a\n-1\n" + root, "number"},
      {"a\n18446744073709551616\n" + root, "number"},
      {"a\n42 \n" + root, "number"},
      {"a\n0\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n", "no records"},
      {"a\n42\n", "32 bytes"},
      {"a\n42\nAAAA\n", "32 bytes"},
      {"a\n42\n" + root.substr(0, root.size() - 1), "32 bytes"},
      {"a\n42\n" + root + "\n", "further line"},
      {"a\n42\n" + root + "cut", "further line"},
  };
  for (const auto& [text, why] : cases) {
    EXPECT_THAT(Message(Checkpoint::Parse(text)), HasSubstr(why)) << text;
  }
  EXPECT_EQ(Checkpoint::Parse("a\n18446744073709551615\n" + root)->size, UINT64_MAX);
}

}  // namespace
}  // namespace tidewaiter::audit
