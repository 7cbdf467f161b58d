#include "broker/rpc/upload_pipe.h"

#include <gtest/gtest.h>

#include <string>
#include <thread>

namespace tidewaiter::rpc {
namespace {

using run::UploadPiece;

const run::Patience kAtOnce{.stop = {}, .deadline = Deadline::After(std::chrono::seconds(0))};
const run::Patience kLong{.stop = {}, .deadline = Deadline::After(std::chrono::seconds(20))};

UploadPiece Piece(std::size_t bytes, bool last = false) {
  return {.name = "code", .data = SharedBytes(std::string(bytes, 'x')), .last = last};
}

TEST(UploadPipe, GivesPiecesInTheOrderInWhichTheyCame) {
  UploadPipe pipe([] {});
  EXPECT_TRUE(pipe.Offer({"a", SharedBytes("1"), false}));
  EXPECT_TRUE(pipe.Offer({"a", SharedBytes("2"), true}));
  EXPECT_EQ(pipe.Next(kAtOnce)->data.Joined(), "1");
  const auto last = pipe.Next(kAtOnce);
  EXPECT_EQ(last->data.Joined(), "2");
  EXPECT_TRUE(last->last);
}

TEST(UploadPipe, PausesTheClientAndTellsItWhenHalfOfTheRoomIsBack) {
  int rooms = 0;
  UploadPipe pipe([&rooms] { ++rooms; });
  EXPECT_TRUE(pipe.Offer(Piece(UploadPipe::kMaxWaiting / 4)));
  EXPECT_TRUE(pipe.Offer(Piece(UploadPipe::kMaxWaiting / 4)));
  EXPECT_FALSE(pipe.Offer(Piece(UploadPipe::kMaxWaiting / 2)));
  ASSERT_TRUE(pipe.Next(kAtOnce).has_value());
  EXPECT_EQ(rooms, 0);
  ASSERT_TRUE(pipe.Next(kAtOnce).has_value());
  ASSERT_TRUE(pipe.Next(kAtOnce).has_value());
  EXPECT_EQ(rooms, 1);
}

TEST(UploadPipe, EmptyPiecesAreNoWayAroundTheBound) {
  UploadPipe pipe([] {});
  std::size_t pieces = 0;
  while (pieces < 100'000 && pipe.Offer(Piece(0))) ++pieces;
  EXPECT_LE(pieces, UploadPipe::kMaxWaiting / UploadPipe::kPieceOverhead);
}

TEST(UploadPipe, WaitsUntilAPieceComes) {
  UploadPipe pipe([] {});
  std::jthread client([&pipe] { pipe.Offer(Piece(3, true)); });
  EXPECT_EQ(pipe.Next(kLong)->data.size(), 3U);
}

TEST(UploadPipe, WhatCameBeforeTheEndIsGivenBeforeIt) {
  UploadPipe pipe([] {});
  pipe.Offer(Piece(1));
  pipe.Finish();
  EXPECT_TRUE(pipe.Next(kAtOnce).has_value());
  EXPECT_EQ(pipe.Next(kLong).error().Reason(), "INPUT_MISSING");
}

TEST(UploadPipe, TheRunsStopAndItsDeadlineEndTheWait) {
  UploadPipe pipe([] {});
  EXPECT_EQ(pipe.Next(kAtOnce).error().code, ErrorCode::kDeadlineExceeded);
  std::stop_source stop;
  stop.request_stop();
  EXPECT_EQ(pipe.Next({.stop = stop.get_token(), .deadline = Deadline::Never()}).error().code,
            ErrorCode::kCancelled);
}

TEST(UploadPipe, AnEndThatComesWithTheRunsStopIsTheStop) {
  UploadPipe pipe([] {});
  pipe.Finish();
  std::stop_source stop;
  const run::Patience patience{.stop = stop.get_token(), .deadline = Deadline::Never()};
  std::jthread client([&stop] { stop.request_stop(); });
  EXPECT_EQ(pipe.Next(patience).error().code, ErrorCode::kCancelled);
}

}  // namespace
}  // namespace tidewaiter::rpc
