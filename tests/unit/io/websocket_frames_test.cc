#include "broker/io/websocket_frames.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <string>

namespace tidewaiter::io {
namespace {

using Opcode = WebSocketOpcode;
using std::string_literals::operator""s;

constexpr std::uint64_t kMaxFrame = 1 << 20;

std::string LengthOf(std::uint64_t length, unsigned bytes) {
  std::string text;
  while (bytes-- > 0) text += static_cast<char>(length >> (8 * bytes) & 0xFFU);
  return text;
}

// What it makes of bytes that come in slices: "binary[...]" for a message, "(" and ")" where its
// parts begin and end; then the error's message, if any.
std::string Parse(std::string_view bytes, std::size_t slice = 1 << 20) {
  WebSocketParser parser(kMaxFrame);
  std::string told;
  for (std::size_t at = 0; at < bytes.size(); at += slice) {
    std::string_view here = bytes.substr(at, slice);
    for (;;) {
      const auto piece = parser.Next(here);
      if (!piece) {
        told += "!" + piece.error().message;
        EXPECT_EQ(parser.Next(here).error(), piece.error()) << "the error stays";
        return told;
      }
      if (!*piece) break;
      const bool control = (*piece)->opcode >= Opcode::kClose;
      const char kind = control ? '#' : (*piece)->opcode == Opcode::kText ? 't' : 'b';
      if ((*piece)->begins) told += kind;
      if ((*piece)->begins) told += "(";
      told += (*piece)->payload;
      if ((*piece)->ends) told += ")";
    }
    EXPECT_TRUE(here.empty());
  }
  return told;
}

std::string ErrorOf(std::string_view bytes) {
  const std::string told = Parse(bytes);
  EXPECT_EQ(told, Parse(bytes, 1));
  const std::size_t at = told.find('!');
  return at == std::string::npos ? "no error: " + told : told.substr(at + 1);
}

TEST(WebSocketParser, ReadsAMessageOfOneFrame) {
  EXPECT_EQ(Parse("\x82\x05hello"), "b(hello)");
  EXPECT_EQ(Parse("\x81\x05hello"), "t(hello)");
  EXPECT_EQ(Parse("\x82\x00"s), "b()");
}

TEST(WebSocketParser, ReadsAMessageOfManyFramesWithAPingBetween) {
  const std::string bytes =
      "\x02\x01"
      "a"
      "\x89\x02hi"
      "\x00\x01"
      "b"
      "\x80\x01"
      "c"s;
  EXPECT_EQ(Parse(bytes), "b(a#(hi)bc)");
  EXPECT_EQ(Parse(bytes, 1), "b(a#(hi)bc)");
}

TEST(WebSocketParser, AnEmptyFrameSaysOnlyWhereAMessageBeginsAndEnds) {
  EXPECT_EQ(Parse("\x01\x00\x00\x00\x00\x01x\x00\x00\x80\x00\x82\x01y"s), "t(x)b(y)");
}

TEST(WebSocketParser, HandsOnAFrameAsItComes) {
  WebSocketParser parser(kMaxFrame);
  std::string_view first = "\x82\x05he";
  const auto piece = parser.Next(first);
  ASSERT_TRUE(piece && *piece);
  EXPECT_EQ((*piece)->payload, "he");
  EXPECT_TRUE((*piece)->begins);
  EXPECT_FALSE((*piece)->ends);
  std::string_view rest = "llo";
  const auto last = parser.Next(rest);
  ASSERT_TRUE(last && *last);
  EXPECT_EQ((*last)->payload, "llo");
  EXPECT_FALSE((*last)->begins);
  EXPECT_TRUE((*last)->ends);
}

TEST(WebSocketParser, KeepsAControlFrameUntilItIsWhole) {
  EXPECT_EQ(Parse("\x8a\x7d" + std::string(125, 'p'), 7), "#(" + std::string(125, 'p') + ")");
}

TEST(WebSocketParser, ReadsEveryFormOfLength) {
  for (const std::size_t length : {125U, 126U, 65535U, 65536U, 1U << 20U}) {
    std::string head = "\x82";
    if (length <= 125) head += static_cast<char>(length);
    if (length > 125 && length <= 65535) head += "\x7e" + LengthOf(length, 2);
    if (length > 65535) head += "\x7f" + LengthOf(length, 8);
    const std::string payload(length, 'x');
    EXPECT_TRUE(Parse(head + payload, 1000) == "b(" + payload + ")") << length;
  }
}

TEST(WebSocketParser, RefusesALengthInMoreBytesThanItTakes) {
  const std::string error = "not WebSocket: a length in more bytes than it takes";
  EXPECT_EQ(ErrorOf("\x82\x7e" + LengthOf(125, 2)), error);
  EXPECT_EQ(ErrorOf("\x82\x7f" + LengthOf(65535, 8)), error);
}

TEST(WebSocketParser, RefusesALengthOf64Bits) {
  EXPECT_EQ(ErrorOf("\x82\x7f" + LengthOf(std::uint64_t{1} << 63U, 8)),
            "not WebSocket: a length of more than 63 bits");
}

TEST(WebSocketParser, RefusesAFrameAboveItsBound) {
  EXPECT_EQ(ErrorOf("\x82\x7f" + LengthOf(kMaxFrame + 1, 8)),
            "a frame is longer than 1048576 bytes");
  WebSocketParser parser(kMaxFrame);
  const std::string bytes = "\x82\x7f" + LengthOf(kMaxFrame + 1, 8);
  std::string_view here = bytes;
  EXPECT_EQ(parser.Next(here).error().code, ErrorCode::kResourceExhausted);
}

TEST(WebSocketParser, RefusesAMaskedFrame) {
  EXPECT_EQ(ErrorOf("\x82\x81"
                    "abcd"
                    "x"),
            "not WebSocket: a masked frame from a server");
}

TEST(WebSocketParser, RefusesExtensions) {
  for (const char bit : {'\x40', '\x20', '\x10'}) {
    EXPECT_EQ(ErrorOf(std::string(1, static_cast<char>('\x82' | bit)) + "\x01x"),
              "not WebSocket: a frame of an extension that nobody asked for");
  }
}

TEST(WebSocketParser, RefusesUnknownOpcodes) {
  for (const unsigned opcode : {3U, 7U, 0xBU, 0xFU}) {
    EXPECT_EQ(ErrorOf(std::string(1, static_cast<char>(0x80U | opcode)) + "\x01x"),
              "not WebSocket: a frame of no known opcode");
  }
}

TEST(WebSocketParser, RefusesControlFramesThatAreLongOrInParts) {
  EXPECT_EQ(ErrorOf("\x89\x7e" + LengthOf(126, 2)), "not WebSocket: a long control frame");
  EXPECT_EQ(ErrorOf("\x09\x01x"), "not WebSocket: a control frame in parts");
}

TEST(WebSocketParser, RefusesAFrameBeforeItsLengthHasCome) {
  for (const char* bytes : {"\xc2\x7f", "\x83\x7f", "\x82\xff", "\x89\x7f", "\x80\x7f"}) {
    EXPECT_THAT(ErrorOf(bytes), ::testing::StartsWith("not WebSocket: "));
  }
}

TEST(WebSocketParser, RefusesMessagesThatAreMixedUp) {
  EXPECT_EQ(ErrorOf("\x80\x01x"), "not WebSocket: a continuation of nothing");
  EXPECT_EQ(ErrorOf("\x82\x01x\x80\x01x"), "not WebSocket: a continuation of nothing");
  EXPECT_EQ(ErrorOf("\x02\x01x\x82\x01x"), "not WebSocket: a message within another");
}

TEST(WebSocketParser, PassesOverWhatFollowsAClose) {
  EXPECT_EQ(Parse("\x88\x00\x82\x01x\xff\xff"s), "#()");
  EXPECT_EQ(Parse("\x88\x00\x82\x01x\xff\xff"s, 1), "#()");
}

TEST(WebSocketParser, RefusesACloseOfNoValidStatus) {
  const std::string error = "not WebSocket: a Close frame of no valid status";
  EXPECT_EQ(ErrorOf("\x88\x01\x03"), error);
  for (const unsigned code : {0U, 999U, 1004U, 1005U, 1006U, 1015U, 2999U, 5000U, 65535U}) {
    EXPECT_EQ(ErrorOf("\x88\x02" + LengthOf(code, 2)), error) << code;
  }
  EXPECT_EQ(ErrorOf("\x88\x03\x03\xe8\xff"), error) << "a reason that is not UTF-8";
  for (const unsigned code : {1000U, 1003U, 1007U, 1011U, 1014U, 3000U, 4999U}) {
    EXPECT_EQ(Parse("\x88\x02" + LengthOf(code, 2)), "#(" + LengthOf(code, 2) + ")") << code;
  }
}

TEST(WebSocketStatus, IsCodeAndReason) {
  EXPECT_EQ(WebSocketStatusOf("\x03\xe8gone").code, kWebSocketNormalClosure);
  EXPECT_EQ(WebSocketStatusOf("\x03\xe8gone").reason, "gone");
  EXPECT_EQ(WebSocketStatusOf("").code, kWebSocketNoStatus);
  EXPECT_EQ(WebSocketClosePayload(kWebSocketNormalClosure), "\x03\xe8");
}

// RFC 6455, 5.7.
TEST(WebSocketFrame, IsMasked) {
  EXPECT_EQ(WebSocketFrame(Opcode::kText, "Hello", {0x37, 0xfa, 0x21, 0x3d}),
            "\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58");
}

TEST(WebSocketFrame, TellsItsLengthInAsFewBytesAsItTakes) {
  const auto head = [](std::size_t length) {
    const std::string frame = WebSocketFrame(Opcode::kBinary, std::string(length, 'x'), {});
    return frame.substr(0, frame.size() - length);
  };
  const std::string mask(4, '\0');
  EXPECT_EQ(head(0), "\x82\x80" + mask);
  EXPECT_EQ(head(125), "\x82\xfd" + mask);
  EXPECT_EQ(head(126), "\x82\xfe" + LengthOf(126, 2) + mask);
  EXPECT_EQ(head(65535), "\x82\xfe" + LengthOf(65535, 2) + mask);
  EXPECT_EQ(head(65536), "\x82\xff" + LengthOf(65536, 8) + mask);
}

}  // namespace
}  // namespace tidewaiter::io
