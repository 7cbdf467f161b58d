#include "broker/daemon/health_server.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cstring>

#include <memory>
#include <string>
#include <vector>

#include "tests/support/broker_process.h"
#include "tests/support/http_probe.h"
#include "tests/support/scratch_folder.h"

namespace tidewaiter::daemon {
namespace {

using testing::ConnectProbe;
using testing::Exchange;
using testing::Probe;
using testing::StatusOf;

constexpr char kRequest[] = "GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n";

bool IsHungUpOn(const UniqueFd& connection) {
  char byte = 0;
  return ::recv(connection.get(), &byte, 1, 0) == 0;
}

class HealthServerTest : public ::testing::Test {
 protected:
  void SetUp() override { Start({.deadline = std::chrono::minutes(10)}); }

  void Start(const HealthServer::Settings& settings) {
    server_.reset();
    HealthSockets sockets;
    auto local = rpc::ListeningSocket::Bind(path_, 0600);
    ASSERT_TRUE(local.has_value()) << local.error().message;
    sockets.local.emplace(*std::move(local));
    sockaddr_in any_port{};
    any_port.sin_family = AF_INET;
    any_port.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    config::LoopbackAddress address;
    std::memcpy(&address.storage, &any_port, sizeof(any_port));
    address.size = sizeof(any_port);
    auto loopback = ListenOn(address);
    ASSERT_TRUE(loopback.has_value()) << loopback.error().message;
    socklen_t size = sizeof(any_port);
    ASSERT_EQ(::getsockname(loopback->get(), static_cast<sockaddr*>(static_cast<void*>(&any_port)),
                            &size),
              0);
    port_ = ntohs(any_port.sin_port);
    sockets.loopback = *std::move(loopback);
    auto server = HealthServer::Start(std::move(sockets), settings, [] { return HealthReport(); });
    ASSERT_TRUE(server.has_value());
    server_ = *std::move(server);
  }

  void Send(const UniqueFd& connection, const std::string& text) {
    ASSERT_EQ(::send(connection.get(), text.data(), text.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(text.size()));
  }

  testing::ScratchFolder folder_;
  const std::string path_ = folder_ / "health.sock";
  std::uint16_t port_ = 0;
  std::unique_ptr<HealthServer> server_;
};

TEST_F(HealthServerTest, AnswersOnBothSockets) {
  EXPECT_EQ(StatusOf(Probe(path_, "/readyz")), 200);
  EXPECT_EQ(StatusOf(Exchange(ConnectProbe(port_), kRequest)), 200);
}

TEST_F(HealthServerTest, AHeadMayComeInPieces) {
  const UniqueFd connection = ConnectProbe(path_);
  const std::string request = kRequest;
  for (std::size_t i = 0; i + 1 < request.size(); ++i) Send(connection, request.substr(i, 1));
  EXPECT_EQ(StatusOf(Exchange(connection, request.substr(request.size() - 1))), 200);
}

TEST_F(HealthServerTest, AHeadThatIsTooLongIsRefusedAndTheAnswerArrives) {
  const std::string head = "GET /readyz HTTP/1.1\r\nHost: " + std::string(20'000, 'x');
  EXPECT_EQ(StatusOf(Exchange(ConnectProbe(path_), head)), 431);
  EXPECT_EQ(StatusOf(Exchange(ConnectProbe(port_), head)), 431);
  EXPECT_EQ(StatusOf(Exchange(ConnectProbe(path_), head + "\r\n\r\n")), 431);
}

TEST_F(HealthServerTest, AHeadThatJustFitsIsRead) {
  std::string head = "GET /readyz HTTP/1.1\r\nHost: ";
  head += std::string(kMaxProbeHead - head.size() - 4, 'x') + "\r\n\r\n";
  ASSERT_EQ(head.size(), kMaxProbeHead);
  EXPECT_EQ(StatusOf(Exchange(ConnectProbe(path_), head)), 200);
  EXPECT_EQ(StatusOf(Exchange(ConnectProbe(path_), head.insert(30, "x"))), 431);
}

TEST_F(HealthServerTest, WhatFollowsTheHeadIsIgnoredAndTheAnswerArrives) {
  const std::string answer = Exchange(ConnectProbe(port_), kRequest + std::string(30'000, 'x'));
  EXPECT_EQ(StatusOf(answer), 200);
  EXPECT_EQ(Exchange(ConnectProbe(port_), std::string(kRequest) + kRequest), answer);
}

TEST_F(HealthServerTest, ConnectionsThatSayNothingHoldUpNobody) {
  std::vector<UniqueFd> idle;
  for (int i = 0; i < 200; ++i) {
    idle.push_back(ConnectProbe(path_));
    ASSERT_TRUE(idle.back().valid());
    ASSERT_EQ(StatusOf(Probe(path_, "/readyz")), 200);
  }
}

TEST_F(HealthServerTest, AHalfOfARequestHoldsUpNobody) {
  const UniqueFd half = ConnectProbe(path_);
  Send(half, "GET /rea");
  EXPECT_EQ(StatusOf(Probe(path_, "/readyz")), 200);
  EXPECT_EQ(StatusOf(Exchange(half, "dyz HTTP/1.0\r\n\r\n")), 200);
}

TEST_F(HealthServerTest, TheOldestGivesWayToMoreThanThereIsRoomFor) {
  Start({.max_connections = 2, .deadline = std::chrono::minutes(10)});
  const UniqueFd first = ConnectProbe(path_);
  const UniqueFd second = ConnectProbe(path_);
  const UniqueFd third = ConnectProbe(path_);
  EXPECT_TRUE(IsHungUpOn(first));
  EXPECT_EQ(StatusOf(Exchange(third, kRequest)), 200);
  EXPECT_EQ(StatusOf(Exchange(second, kRequest)), 200);
}

TEST_F(HealthServerTest, WhoSaysTooLittleIsHungUpOnAtTheDeadline) {
  Start({.deadline = std::chrono::milliseconds(50)});
  const UniqueFd connection = ConnectProbe(path_);
  Send(connection, "GET /readyz");
  EXPECT_TRUE(IsHungUpOn(connection));
}

TEST_F(HealthServerTest, WhoTakesItsAnswerAndStaysIsHungUpOnAtTheDeadline) {
  Start({.max_connections = 64, .deadline = std::chrono::milliseconds(50)});
  const UniqueFd connection = ConnectProbe(port_);
  EXPECT_EQ(StatusOf(Exchange(connection, kRequest)), 200);
  // The kernel says so to a byte that is sent after that.
  EXPECT_TRUE(testing::Eventually(std::chrono::seconds(20), [&] {
    return ::send(connection.get(), "x", 1, MSG_NOSIGNAL) != 1;
  }));
}

TEST_F(HealthServerTest, WhoHangsUpEarlyIsForgotten) {
  {
    const UniqueFd connection = ConnectProbe(path_);
    Send(connection, "GET /readyz HTTP/1.1\r\n");
  }
  EXPECT_EQ(StatusOf(Probe(path_, "/readyz")), 200);
}

TEST_F(HealthServerTest, TheEndHangsUpOnWhoIsConnected) {
  const UniqueFd connection = ConnectProbe(path_);
  Send(connection, "GET");
  server_.reset();
  char byte = 0;
  EXPECT_LE(::recv(connection.get(), &byte, 1, 0), 0);
  EXPECT_FALSE(ConnectProbe(path_).valid());
}

TEST_F(HealthServerTest, APortThatSomeoneListensOnIsLeftToThem) {
  const auto taken = config::ParseLoopbackAddress("127.0.0.1:" + std::to_string(port_));
  ASSERT_TRUE(taken.has_value());
  EXPECT_FALSE(ListenOn(*taken).has_value());
}

}  // namespace
}  // namespace tidewaiter::daemon
