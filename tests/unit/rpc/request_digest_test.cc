#include "broker/rpc/request_digest.h"

#include <gtest/gtest.h>

#include <string>

#include "audit/sha256.h"

namespace tidewaiter::rpc {
namespace {

using std::string_literals::operator""s;

std::string Sha256(const std::string& bytes) {
  const audit::Sha256::Digest digest = audit::Sha256::Of(bytes);
  return {digest.begin(), digest.end()};
}

// The format itself (protobuf.dev, "Encoding"), so that others can do the same: image is field 1,
// command 2, env 3 with key 1 and value 2.
TEST(RequestDigest, IsOfTheFieldsInTheirOrderAndOfMapsByTheirKeys) {
  v1::RunSpec spec;
  (*spec.mutable_env())["B"] = "2";
  (*spec.mutable_env())["A"] = "";
  (*spec.mutable_env())["AA"] = "3";
  spec.add_command("x");
  spec.add_command("");
  spec.set_image("i");
  EXPECT_EQ(RequestDigest(spec), Sha256("\x0a\x01i"
                                        "\x12\x01x\x12\x00"
                                        "\x1a\x05\x0a\x01"
                                        "A\x12\x00"
                                        "\x1a\x07\x0a\x02"
                                        "AA\x12\x01"
                                        "3"
                                        "\x1a\x06\x0a\x01"
                                        "B\x12\x01"
                                        "2"s));
  EXPECT_EQ(RequestDigest({}), Sha256(""));
}

TEST(RequestDigest, DoesNotDependOnHowTheSenderWroteIt) {
  v1::RunSpec one;
  v1::RunSpec other;
  for (int i = 0; i < 100; ++i) (*one.mutable_env())[std::to_string(i)] = "v";
  for (int i = 99; i >= 0; --i) (*other.mutable_env())[std::to_string(i)] = "v";
  EXPECT_EQ(RequestDigest(one), RequestDigest(other));
  (*other.mutable_env())["7"] = "w";
  EXPECT_NE(RequestDigest(one), RequestDigest(other));
}

}  // namespace
}  // namespace tidewaiter::rpc
