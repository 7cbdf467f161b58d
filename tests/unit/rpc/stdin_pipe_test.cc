#include "broker/rpc/stdin_pipe.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

namespace tidewaiter::rpc {
namespace {

class FakeAttachment : public run::Attachment {
 public:
  Completion<std::optional<Error>>& ended() override { return ended_; }
  std::size_t WriteStdin(std::span<const std::byte> data) override {
    const std::size_t took = std::min(data.size(), room);
    for (std::size_t i = 0; i < took; ++i) got += static_cast<char>(data[i]);
    room -= took;
    return took;
  }
  void SetOnStdinRoom(std::function<void()> on_room) override { on_room_ = std::move(on_room); }
  void CloseStdin() override { closed = true; }

  void MakeRoom(std::size_t bytes) {
    room = bytes;
    on_room_();
  }

  std::size_t room = 0;
  std::string got;
  bool closed = false;

 private:
  Completion<std::optional<Error>> ended_;
  std::function<void()> on_room_;
};

class StdinPipeTest : public ::testing::Test {
 protected:
  int woken_ = 0;
  std::shared_ptr<StdinPipe> pipe_ = std::make_shared<StdinPipe>([this] { ++woken_; });
  FakeAttachment attachment_;
};

TEST_F(StdinPipeTest, BytesBeforeTheContainerIsThereAreKeptInOrder) {
  EXPECT_TRUE(pipe_->Offer("one "));
  EXPECT_TRUE(pipe_->Offer("two"));
  attachment_.room = 100;
  pipe_->Attach(attachment_);
  EXPECT_EQ(attachment_.got, "one two");
}

TEST_F(StdinPipeTest, AFullPipeStopsTheClientUntilThereIsRoom) {
  pipe_->Attach(attachment_);
  EXPECT_FALSE(pipe_->Offer(std::string(StdinPipe::kMaxWaiting, 'x')));
  EXPECT_EQ(woken_, 0);
  attachment_.MakeRoom(StdinPipe::kMaxWaiting);
  EXPECT_EQ(woken_, 1);
  EXPECT_EQ(attachment_.got.size(), StdinPipe::kMaxWaiting);
}

TEST_F(StdinPipeTest, EndOfStdinComesAfterEveryByte) {
  pipe_->Attach(attachment_);
  pipe_->Offer("abc");
  pipe_->Finish();
  EXPECT_FALSE(attachment_.closed);
  attachment_.MakeRoom(2);
  EXPECT_FALSE(attachment_.closed);
  attachment_.MakeRoom(1);
  EXPECT_TRUE(attachment_.closed);
  EXPECT_EQ(attachment_.got, "abc");
}

TEST_F(StdinPipeTest, EndOfStdinBeforeTheContainerIsThereIsKept) {
  pipe_->Finish();
  pipe_->Attach(attachment_);
  EXPECT_TRUE(attachment_.closed);
}

TEST_F(StdinPipeTest, WhatComesAfterTheContainerIsDroppedAndStopsNobody) {
  pipe_->Attach(attachment_);
  EXPECT_FALSE(pipe_->Offer(std::string(StdinPipe::kMaxWaiting, 'x')));
  pipe_->Detach();
  EXPECT_EQ(woken_, 1);
  EXPECT_TRUE(pipe_->Offer(std::string(StdinPipe::kMaxWaiting, 'x')));
  EXPECT_TRUE(attachment_.got.empty());
  attachment_.MakeRoom(100);
  EXPECT_TRUE(attachment_.got.empty());
}

}  // namespace
}  // namespace tidewaiter::rpc
