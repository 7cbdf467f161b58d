// Attacks by messages that never end and streams that nobody reads: what one caller makes the
// broker hold is that caller's loss alone.
#include <gtest/gtest.h>

#include <fstream>
#include <memory>
#include <vector>

#include "tests/support/broker_process.h"
#include "tests/support/gate_client.h"
#include "tests/support/half_sender.h"
#include "tests/support/scratch_folder.h"
#include "tests/support/stand_in_engine.h"

namespace tidewaiter::testing {
namespace {

#ifdef __has_feature
constexpr bool kAddressSanitizer = __has_feature(address_sanitizer);
#else
constexpr bool kAddressSanitizer = false;
#endif
constexpr uid_t kAlice = 64001;
constexpr uid_t kBob = 64002;
constexpr std::uint32_t kMessageBytes = 4U << 20U;
constexpr std::size_t kReceiveMemory = std::size_t{64} << 20U;
// The memory that an attack on that bound may take, in units of it; without the bound it takes 64.
// AddressSanitizer keeps what is freed in quarantine.
constexpr std::size_t kSeenFactor = kAddressSanitizer ? 24 : 8;

class HalfSent : public ::testing::Test {
 protected:
  static std::string Principals() {
    return "[[principal]]\nname = \"alice\"\nuid = 64001\nroles = [\"run\"]\npolicy = \"default\"\n"
           "[[principal]]\nname = \"bob\"\nuid = 64002\nroles = [\"run\", \"audit\"]\n"
           "policy = \"default\"\n";
  }

  static v1::RunSpec Spec(std::initializer_list<std::string> command) {
    v1::RunSpec spec;
    spec.set_image(std::string("127.0.0.1:5000/lab/toolbox:1.0.0@") + StandInEngine::kDigest);
    for (const std::string& word : command) spec.add_command(word);
    return spec;
  }

  // In KiB.
  [[nodiscard]] std::int64_t PeakMemory() const {
    std::ifstream status("/proc/" + std::to_string(broker_.pid()) + "/status");
    std::string word;
    while (status >> word) {
      std::int64_t value = 0;
      if (word == "VmHWM:" && status >> value) return value;
    }
    return -1;
  }

  // Bob's connections, each full of half-sent messages, from here to the end of the test: 4 GB.
  void Attack() {
    for (int i = 0; i < 10; ++i) {
      UniqueFd fd = ConnectAs(kBob, broker_.socket_path());
      ASSERT_TRUE(fd);
      attackers_.push_back(std::make_unique<HalfSender>(std::move(fd)));
      for (int call = 0; call < 100; ++call) {
        attackers_.back()->Begin(
            call % 2 == 0 ? "/tidewaiter.v1.Broker/Explain" : "/tidewaiter.v1.Broker/Run",
            kMessageBytes);
      }
    }
    for (const auto& attacker : attackers_) attacker->Push(std::chrono::milliseconds(500));
  }

  ScratchFolder folder_;
  StandInEngine engine_{folder_ / "engine.sock"};
  BrokerProcess broker_{{.docker_socket = folder_ / "engine.sock",
                         .policy = BrokerProcess::StandInPolicy(Principals()),
                         .settings = "socket_mode = \"0666\"\nmax_receive_memory = \"64MiB\"\n"
                                     "output_stall = \"1s\"\n"}};
  std::vector<std::unique_ptr<HalfSender>> attackers_;
};

TEST_F(HalfSent, MessagesThatNeverEndCostNobodyElseTheirRun) {
  const auto alice = GateClient::As(kAlice, broker_.socket_path());
  ASSERT_TRUE(alice);
  const Transcript transcript =
      alice->Run(Spec({"wait"}),
                 [&](const v1::RunEvent& event, GateClient::Stream& stream, grpc::ClientContext&) {
                   if (!event.has_started()) return;
                   Attack();
                   const auto again = GateClient::As(kAlice, broker_.socket_path());
                   ASSERT_TRUE(again);
                   EXPECT_EQ(again->Run(Spec({"exit", "5"})).Result().exit_code(), 5);
                   v1::RunRequest cancel;
                   cancel.mutable_cancel();
                   stream.Write(cancel);
                 });
  EXPECT_EQ(transcript.Result().outcome(), v1::RunResult::CANCELLED)
      << transcript.status.error_message();
  std::size_t sent = 0;
  for (const auto& attacker : attackers_) sent += attacker->sent();
  EXPECT_GT(sent, kReceiveMemory / 2) << "that was no attack";
}

// Each takes the 64 KiB that HTTP/2 grants at first, and never grants more.
TEST_F(HalfSent, AuditStreamThatIsNotReadIsEndedAndHoldsUpNobody) {
  const auto alice = GateClient::As(kAlice, broker_.socket_path());
  UniqueFd fd = ConnectAs(kBob, broker_.socket_path());
  ASSERT_TRUE(alice && fd);
  for (int i = 0; i < 40; ++i) alice->Run(Spec({"exit", "0"}));
  HalfSender reader(std::move(fd));
  v1::TailRequest from_start;
  from_start.set_from_start(true);
  for (int i = 0; i < 4; ++i) {
    reader.Ask("/tidewaiter.v1.Audit/Tail", from_start.SerializeAsString());
  }
  EXPECT_EQ(alice->Run(Spec({"exit", "5"})).Result().exit_code(), 5);
  EXPECT_TRUE(reader.AwaitEnd(std::chrono::seconds(20))) << reader.ended() << " of 4 were ended";
  EXPECT_GT(reader.received(), std::size_t{60} << 10U) << "nothing was withheld";
  // The readers' places are free again.
  const auto bob = GateClient::As(kBob, broker_.socket_path());
  ASSERT_TRUE(bob);
  EXPECT_FALSE(bob->AuditLines().empty());
}

TEST_F(HalfSent, MessagesThatNeverEndAreBounded) {
  const auto alice = GateClient::As(kAlice, broker_.socket_path());
  ASSERT_TRUE(alice);
  EXPECT_EQ(alice->Run(Spec({"exit", "0"})).Result().outcome(), v1::RunResult::EXITED);
  const std::int64_t before = PeakMemory();
  Attack();
  // gRPC takes memory back after it was given out: two to three times the bound are seen.
  EXPECT_LT(PeakMemory() - before, std::int64_t{kSeenFactor * kReceiveMemory / 1024}) << "KiB";
}

}  // namespace
}  // namespace tidewaiter::testing
