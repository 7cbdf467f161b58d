#include "broker/rpc/connection_table.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <vector>

namespace tidewaiter::rpc {
namespace {

constexpr int kFirst = 700;

// Both ends of a connection; the table's end is handed over.
struct Pair {
  Pair() {
    std::array<int, 2> ends{};
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()), 0);
    ours = UniqueFd(ends[0]);
    theirs = UniqueFd(ends[1]);
  }
  [[nodiscard]] bool PeerHungUp() const {
    char byte = 0;
    return ::recv(theirs.get(), &byte, 1, MSG_DONTWAIT) == 0;
  }
  UniqueFd ours;
  UniqueFd theirs;
};

ConnectionTable::Bounds Small(std::size_t most, std::size_t most_per_uid, int numbers = 100) {
  return {.max_connections = most,
          .max_per_uid = most_per_uid,
          .first_number = kFirst,
          .end_number = kFirst + numbers};
}

TEST(ConnectionTable, NumbersRiseAlthoughLowerOnesAreFree) {
  ConnectionTable table(Small(10, 10));
  Pair a;
  const Result<int> first = table.Admit(std::move(a.ours), {});
  ASSERT_TRUE(first.has_value());
  EXPECT_EQ(*first, kFirst);
  ::close(*first);
  Pair b;
  const Result<int> second = table.Admit(std::move(b.ours), {});
  ASSERT_TRUE(second.has_value());
  EXPECT_EQ(*second, kFirst + 1);
  ::close(*second);
}

TEST(ConnectionTable, AnOpenNumberIsNeverGivenToAnother) {
  ConnectionTable table(Small(10, 10, 2));
  Pair kept;
  const int number = *table.Admit(std::move(kept.ours), {.uid = 7, .gid = 7, .pid = 7});
  for (uid_t uid = 100; uid < 110; ++uid) {
    Pair other;
    const Result<int> taken = table.Admit(std::move(other.ours), {.uid = uid, .gid = 1, .pid = 1});
    ASSERT_TRUE(taken.has_value());
    EXPECT_NE(*taken, number);
    EXPECT_EQ(table.Begin(number)->credentials().uid, 7U);
    EXPECT_EQ(table.Begin(*taken)->credentials().uid, uid);
    ::close(*taken);
  }
  ::close(number);
}

TEST(ConnectionTable, RefusesWhereEveryNumberIsOpen) {
  ConnectionTable table(Small(10, 10, 1));
  Pair a;
  const int number = *table.Admit(std::move(a.ours), {});
  Pair b;
  const Result<int> refused = table.Admit(std::move(b.ours), {});
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().reason, "TOO_MANY_CONNECTIONS");
  ::close(number);
}

TEST(ConnectionTable, AUidAtItsBoundLosesItsOwnIdleConnectionNotAnothers) {
  ConnectionTable table(Small(10, 2));
  Pair other;
  const int others = *table.Admit(std::move(other.ours), {.uid = 1, .gid = 0, .pid = 0});
  Pair a;
  Pair b;
  Pair c;
  std::vector<int> numbers;
  for (Pair* pair : {&a, &b, &c}) {
    numbers.push_back(*table.Admit(std::move(pair->ours), {.uid = 2, .gid = 0, .pid = 0}));
  }
  EXPECT_TRUE(a.PeerHungUp());
  EXPECT_FALSE(b.PeerHungUp());
  EXPECT_FALSE(c.PeerHungUp());
  EXPECT_FALSE(other.PeerHungUp());
  for (const int number : numbers) ::close(number);
  ::close(others);
}

TEST(ConnectionTable, AConnectionThatMadeCallsOutlivesThoseThatNeverDid) {
  ConnectionTable table(Small(10, 2));
  Pair working;
  Pair silent;
  Pair late;
  const int a = *table.Admit(std::move(working.ours), {});
  static_cast<void>(table.Begin(a));
  const int b = *table.Admit(std::move(silent.ours), {});
  const int c = *table.Admit(std::move(late.ours), {});
  EXPECT_FALSE(working.PeerHungUp());
  EXPECT_TRUE(silent.PeerHungUp());
  for (const int number : {a, b, c}) ::close(number);
}

TEST(ConnectionTable, ABusyConnectionIsNeverShutDown) {
  ConnectionTable table(Small(10, 1));
  Pair busy;
  const int number = *table.Admit(std::move(busy.ours), {});
  auto lease = table.Begin(number);
  Pair next;
  const Result<int> refused = table.Admit(std::move(next.ours), {});
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, ErrorCode::kResourceExhausted);
  EXPECT_FALSE(busy.PeerHungUp());
  lease.reset();
  Pair again;
  const Result<int> taken = table.Admit(std::move(again.ours), {});
  ASSERT_TRUE(taken.has_value());
  EXPECT_TRUE(busy.PeerHungUp());
  ::close(number);
  ::close(*taken);
}

TEST(ConnectionTable, AtTheWholeBoundTheHeaviestUidGivesWay) {
  ConnectionTable table(Small(3, 3));
  Pair light;
  Pair heavy_a;
  Pair heavy_b;
  Pair late;
  std::vector<int> numbers{*table.Admit(std::move(light.ours), {.uid = 1, .gid = 0, .pid = 0}),
                           *table.Admit(std::move(heavy_a.ours), {.uid = 2, .gid = 0, .pid = 0}),
                           *table.Admit(std::move(heavy_b.ours), {.uid = 2, .gid = 0, .pid = 0}),
                           *table.Admit(std::move(late.ours), {.uid = 3, .gid = 0, .pid = 0})};
  EXPECT_FALSE(light.PeerHungUp());
  EXPECT_TRUE(heavy_a.PeerHungUp());
  for (const int number : numbers) ::close(number);
}

TEST(ConnectionTable, ClosedConnectionsDoNotCount) {
  ConnectionTable table(Small(10, 1));
  for (int i = 0; i < 5; ++i) {
    Pair pair;
    const Result<int> number = table.Admit(std::move(pair.ours), {});
    ASSERT_TRUE(number.has_value());
    EXPECT_EQ(table.CountOpen(), 1U);
    ::close(*number);
  }
  EXPECT_EQ(table.CountOpen(), 0U);
}

TEST(ConnectionTable, NoLeaseForANumberThatIsNoConnection) {
  ConnectionTable table(Small(10, 1));
  EXPECT_FALSE(table.Begin(0).has_value());
  EXPECT_FALSE(table.Begin(-1).has_value());
}

TEST(ConnectionTable, BoundsFitBelowTheDescriptorLimit) {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  const auto bounds = ConnectionTable::FitToDescriptorLimit({.max_connections = 1U << 30U});
  EXPECT_LE(bounds.end_number, static_cast<int>(limit.rlim_cur));
  EXPECT_GT(bounds.first_number, 0);
  EXPECT_LT(bounds.max_connections,
            static_cast<std::size_t>(bounds.end_number - bounds.first_number));
}

}  // namespace
}  // namespace tidewaiter::rpc
