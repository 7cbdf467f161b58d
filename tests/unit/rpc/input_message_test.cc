#include "broker/rpc/input_message.h"

#include <grpcpp/support/slice.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "tidewaiter/v1/broker.pb.h"

namespace tidewaiter::rpc {
namespace {

grpc::ByteBuffer Whole(const std::string& bytes) {
  const grpc::Slice slice(bytes);
  return {&slice, 1};
}

// In slices of 1 to `most` bytes, as they may come out of a network.
grpc::ByteBuffer Cut(const std::string& bytes, std::size_t most, std::mt19937& random) {
  std::vector<grpc::Slice> slices;
  for (std::size_t at = 0; at < bytes.size();) {
    const std::size_t length = std::min(bytes.size() - at, 1 + random() % most);
    slices.emplace_back(bytes.data() + at, length);
    at += length;
  }
  return {slices.data(), slices.size()};
}

v1::RunRequest Piece(const std::string& name, std::string data, bool last) {
  v1::RunRequest request;
  request.mutable_input()->set_name(name);
  request.mutable_input()->set_data(std::move(data));
  request.mutable_input()->set_last(last);
  return request;
}

TEST(InputMessage, IsWhatProtobufWroteHoweverItIsCut) {
  std::mt19937 random(1);
  for (const std::size_t bytes : {0U, 1U, 127U, 128U, 16'383U, 16'384U, 100'000U}) {
    std::string data(bytes, '\0');
    for (char& c : data) c = static_cast<char>(random());
    for (const bool last : {false, true}) {
      for (const std::size_t most : {1U, 7U, 9000U, 1'000'000U}) {
        const auto piece =
            ReadInputMessage(Cut(Piece("code", data, last).SerializeAsString(), most, random));
        ASSERT_TRUE(piece.has_value()) << bytes << " " << most;
        EXPECT_EQ(piece->name, "code");
        EXPECT_EQ(piece->data.Joined(), data);
        EXPECT_EQ(piece->last, last);
      }
    }
  }
}

TEST(InputMessage, MuchIsLeftWhereItIsAndKeptThere) {
  const std::string data(100'000, 'x');
  auto message =
      std::make_unique<grpc::ByteBuffer>(Whole(Piece("code", data, false).SerializeAsString()));
  grpc::Slice before;
  ASSERT_TRUE(message->TrySingleSlice(&before).ok());
  const auto piece = ReadInputMessage(*message);
  message.reset();
  ASSERT_TRUE(piece.has_value());
  ASSERT_EQ(piece->data.parts().size(), 1U);
  const char* const at = piece->data.parts()[0].data();
  const auto* const begin = reinterpret_cast<const char*>(before.begin());
  EXPECT_TRUE(begin <= at && at + data.size() <= begin + before.size());
  EXPECT_EQ(piece->data.Joined(), data);
}

// Some bytes would keep all that came with them in memory.
TEST(InputMessage, LittleIsCopied) {
  auto message = Whole(Piece("code", std::string(1000, 'x'), false).SerializeAsString());
  grpc::Slice before;
  ASSERT_TRUE(message.TrySingleSlice(&before).ok());
  const auto piece = ReadInputMessage(message);
  ASSERT_TRUE(piece.has_value());
  const char* const at = piece->data.parts().at(0).data();
  const auto* const begin = reinterpret_cast<const char*>(before.begin());
  EXPECT_FALSE(begin <= at && at < begin + before.size());
}

TEST(InputMessage, OtherMessagesAreNone) {
  v1::RunRequest start;
  start.mutable_start()->mutable_spec()->set_image("x");
  v1::RunRequest stdin_bytes;
  stdin_bytes.set_stdin("abc");
  v1::RunRequest cancel;
  cancel.mutable_cancel();
  for (const v1::RunRequest& request : {start, stdin_bytes, cancel, v1::RunRequest()}) {
    EXPECT_FALSE(ReadInputMessage(Whole(request.SerializeAsString())).has_value());
  }
  EXPECT_FALSE(ReadInputMessage(grpc::ByteBuffer()).has_value());
}

TEST(InputMessage, WhatIsWrittenInAnyOtherWayIsLeftToProtobuf) {
  const std::string name = std::string("\x0a\x01") + "a";
  const std::string data = std::string("\x12\x02") + "xy";
  const auto input = [](const std::string& fields) {
    return "\x2a" + std::string(1, static_cast<char>(fields.size())) + fields;
  };
  ASSERT_TRUE(ReadInputMessage(Whole(input(name + data))).has_value());
  for (const std::string& bytes : {
           input(name + name + data),                  // a field twice
           input(data + name),                         // out of order
           input(name + data + "\x20\x01"),            // unknown field
           input(name + data) + input(name + data),    // merged, says protobuf
           input(name + data) + std::string(1, '\0'),  // no field has number 0
           input(name + data + std::string(1, '\0')), input(name + data).substr(0, 6),  // cut
           input(name + "\x12\x7f"),                            // longer than the message
           input(std::string("\x0a\x02") + "\xc3\xa9" + data),  // not ASCII
           input(std::string("\x0a\x01\0", 3) + data),
           input("\x08\x01" + data),  // a name that is a number
           "\x2b" + name,             // a group
       }) {
    EXPECT_FALSE(ReadInputMessage(Whole(bytes)).has_value()) << ::testing::PrintToString(bytes);
  }
}

}  // namespace
}  // namespace tidewaiter::rpc
