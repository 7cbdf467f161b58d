#include "audit/signing_key_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "tests/support/audit_store.h"
#include "tests/unit/audit/scratch_folder.h"

namespace tidewaiter::audit {
namespace {

using ::testing::HasSubstr;

class SigningKeyFileTest : public ::testing::Test {
 protected:
  Result<SigningKeys> Load() const { return LoadOrCreateSigningKeys(folder_.path(), "test"); }
  Result<std::shared_ptr<const SigningKey>> Successor() const {
    return LoadOrCreateSuccessor(folder_.path(), "test");
  }
  Result<void> Promote(const SigningKey& key) const {
    return PromoteSuccessor(folder_.path(), key);
  }
  [[nodiscard]] std::string File(const char* name) const { return folder_.File(name); }

  ScratchFolder folder_;
};

TEST_F(SigningKeyFileTest, ThereIsAKeyAndNoSuccessorToBeginWith) {
  const auto made = Load();
  ASSERT_TRUE(made.has_value()) << made.error().message;
  EXPECT_EQ(made->key->verifier().name(), "tidewaiter/test");
  EXPECT_EQ(made->successor, nullptr);
  EXPECT_EQ(Load()->key->verifier(), made->key->verifier());
}

TEST_F(SigningKeyFileTest, ASuccessorIsMadeOnceAndFoundByTheNextStart) {
  const auto key = Load()->key;
  const auto successor = Successor();
  ASSERT_TRUE(successor.has_value()) << successor.error().message;
  EXPECT_NE((*successor)->verifier(), key->verifier());
  EXPECT_EQ((*Successor())->verifier(), (*successor)->verifier());
  const auto found = Load();
  EXPECT_EQ(found->key->verifier(), key->verifier());
  ASSERT_NE(found->successor, nullptr);
  EXPECT_EQ(found->successor->verifier(), (*successor)->verifier());
}

TEST_F(SigningKeyFileTest, ASuccessorTakesTheKeysPlace) {
  ASSERT_TRUE(Load().has_value());
  const auto successor = *Successor();
  ASSERT_TRUE(Promote(*successor).has_value());
  const auto found = Load();
  EXPECT_EQ(found->key->verifier(), successor->verifier());
  EXPECT_EQ(found->successor, nullptr);
  // Again, as where nobody knows whether it was done.
  EXPECT_TRUE(Promote(*successor).has_value());
}

TEST_F(SigningKeyFileTest, NoOtherKeyIsPromoted) {
  const auto key = Load()->key;
  EXPECT_THAT(Promote(*testing::NewAuditKey()).error().message, HasSubstr("restore that"));
  ASSERT_TRUE(Successor().has_value());
  EXPECT_THAT(Promote(*testing::NewAuditKey()).error().message, HasSubstr("audit.key.next"));
  EXPECT_EQ(Load()->key->verifier(), key->verifier());
}

// Else a new log would be handed over to a key that may have signed another.
TEST_F(SigningKeyFileTest, ASuccessorAloneIsRefused) {
  ASSERT_TRUE(Load().has_value());
  ASSERT_TRUE(Successor().has_value());
  std::filesystem::remove(File(kSigningKeyName));
  EXPECT_THAT(Load().error().message, HasSubstr("audit.key.next"));
  EXPECT_FALSE(std::filesystem::exists(File(kSigningKeyName)));
}

TEST_F(SigningKeyFileTest, WhatIsNoSuccessorIsRefused) {
  ASSERT_TRUE(Load().has_value());
  std::filesystem::copy(File(kSigningKeyName), File(kNextSigningKeyName));
  EXPECT_THAT(Load().error().message, HasSubstr("it is audit.key itself"));
  std::filesystem::resize_file(File(kNextSigningKeyName), 20);
  EXPECT_EQ(Load().error().Reason(), "UNTRUSTED_KEY");
}

}  // namespace
}  // namespace tidewaiter::audit
