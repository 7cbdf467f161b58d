#include "audit/public_keys.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/support/audit_store.h"

namespace tidewaiter::audit {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

TEST(PublicKeys, WhatIsNoneIsPassedOverAndThereIsAnEnd) {
  const auto key = testing::NewAuditKey();
  const std::string text = key->verifier().ToString();
  EXPECT_THAT(ReadPublicKeys(""), IsEmpty());
  EXPECT_THAT(ReadPublicKeys("x\n\n" + text + "\n" + text), ElementsAre(key->verifier()));
  std::string many;
  for (std::size_t i = 0; i < kMaxPublicKeys + 1; ++i) {
    const auto made = SigningKey::Generate("tidewaiter/" + std::to_string(i));
    many += made->verifier().ToString() + "\n";
  }
  EXPECT_THAT(ReadPublicKeys(many), SizeIs(kMaxPublicKeys));
}

}  // namespace
}  // namespace tidewaiter::audit
