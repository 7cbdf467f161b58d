// /healthz and /readyz of the real daemon, asked as an orchestrator's probe asks.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "tests/support/broker_process.h"
#include "tests/support/gate_client.h"
#include "tests/support/http_probe.h"
#include "tests/support/scratch_folder.h"
#include "tests/support/stand_in_engine.h"

namespace tidewaiter::testing {
namespace {

using ::testing::HasSubstr;

constexpr std::chrono::seconds kPatience(20);

// One that was free a moment ago.
std::uint16_t FreePort() {
  const UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  auto* generic = static_cast<sockaddr*>(static_cast<void*>(&address));
  socklen_t size = sizeof(address);
  EXPECT_EQ(::bind(fd.get(), generic, size), 0);
  EXPECT_EQ(::getsockname(fd.get(), generic, &size), 0);
  return ntohs(address.sin_port);
}

// Local addresses, as the kernel writes them, on which this port is listened on.
std::vector<std::string> ListenersOn(std::uint16_t port) {
  std::vector<std::string> found;
  for (const char* table : {"/proc/net/tcp", "/proc/net/tcp6"}) {
    std::ifstream lines(table);
    std::string number;
    std::string local;
    std::string remote;
    std::string state;
    std::string rest;
    std::getline(lines, rest);
    while (lines >> number >> local >> remote >> state && std::getline(lines, rest)) {
      const std::size_t colon = local.rfind(':');
      const bool listens = state == "0A";
      if (listens && std::stoul(local.substr(colon + 1), nullptr, 16) == port) {
        found.push_back(local.substr(0, colon));
      }
    }
  }
  return found;
}

class Probes : public ::testing::Test {
 protected:
  // Probes are served a moment after runs are.
  void SetUp() override {
    ASSERT_TRUE(Eventually(kPatience, [&] { return ConnectProbe(path_).valid(); }));
  }

  [[nodiscard]] std::string Ready() const { return Probe(path_, "/readyz"); }
  [[nodiscard]] int ReadyStatus() const { return StatusOf(Ready()); }
  [[nodiscard]] bool BecomesReadyWith(const std::string& text) const {
    return Eventually(kPatience, [&] {
      const std::string answer = Ready();
      return StatusOf(answer) == 200 && answer.find(text) != std::string::npos;
    });
  }
  [[nodiscard]] bool BecomesWell() const { return BecomesReadyWith(R"("status":"ok","checks")"); }

  static v1::RunSpec Job(const std::string& command) {
    v1::RunSpec spec;
    spec.set_image(std::string("127.0.0.1:5000/lab/toolbox:1.0.0@") + StandInEngine::kDigest);
    spec.add_command(command);
    if (command == "exit") spec.add_command("0");
    return spec;
  }

  ScratchFolder folder_;
  const std::string path_ = folder_ / "health.sock";
  const std::uint16_t port_ = FreePort();
  StandInEngine engine_{folder_ / "engine.sock"};
  BrokerProcess broker_{{.docker_socket = folder_ / "engine.sock",
                         .policy = BrokerProcess::StandInPolicy(),
                         .settings = "drain_timeout = \"20s\"\nteardown_timeout = \"1s\"\n"
                                     "reap_retry_min = \"100ms\"\nreap_retry_max = \"100ms\"\n"
                                     "health_socket = \"" +
                                     path_ +
                                     "\"\nhealth_socket_mode = \"0600\"\n"
                                     "health_tcp = \"127.0.0.1:" +
                                     std::to_string(port_) + "\"\n",
                         .docker_settings = "ping_interval = \"1s\"\ncheck_timeout = \"1s\"\n"}};
  GateClient client_{broker_.socket_path()};
};

TEST_F(Probes, ABrokerThatServesIsAliveAndReady) {
  EXPECT_EQ(StatusOf(Probe(path_, "/healthz")), 200);
  EXPECT_TRUE(BecomesWell()) << Ready();
  EXPECT_THAT(Probe(path_, "/readyz?verbose"), HasSubstr("[+]engine ok\n"));
}

TEST_F(Probes, TheSocketHasItsModeAndGoesWithTheBroker) {
  struct stat status {};
  ASSERT_EQ(::stat(path_.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777U, 0600U);
  EXPECT_EQ(broker_.Stop(), 0);
  EXPECT_FALSE(std::filesystem::exists(path_));
}

TEST_F(Probes, TcpIsListenedOnAtLoopbackAlone) {
  EXPECT_EQ(StatusOf(Exchange(ConnectProbe(port_), "GET /healthz HTTP/1.0\r\n\r\n")), 200);
  EXPECT_THAT(ListenersOn(port_), ::testing::ElementsAre("0100007F"));
}

TEST_F(Probes, ABrokerThatDrainsIsAliveAndNotReady) {
  bool not_ready = false;
  int alive = 0;
  static_cast<void>(client_.Run(
      Job("sleep"), [&](const v1::RunEvent& event, auto& /*stream*/, auto& /*context*/) {
        if (!event.has_started()) return;
        ::kill(broker_.pid(), SIGTERM);
        not_ready = Eventually(kPatience, [&] { return ReadyStatus() == 503; });
        alive = StatusOf(Probe(path_, "/healthz"));
        ::kill(broker_.pid(), SIGTERM);  // ends the drain, and so the run
      }));
  EXPECT_TRUE(not_ready);
  EXPECT_EQ(alive, 200);
}

TEST_F(Probes, WithoutItsLogItIsAliveAndNotReadyUntilItCanWriteAgain) {
  ASSERT_TRUE(BecomesWell());
  const std::string obstacle = broker_.ObstructAudit();
  v1::RunSpec spec;
  spec.set_image("evil.example/x");
  static_cast<void>(client_.Run(spec));  // its denial cannot be recorded
  EXPECT_TRUE(Eventually(kPatience, [&] { return ReadyStatus() == 503; }));
  EXPECT_EQ(StatusOf(Probe(path_, "/healthz")), 200);
  std::filesystem::remove(obstacle);
  EXPECT_TRUE(BecomesWell());
}

TEST_F(Probes, ARemovalThatIsOverdueDegradesItUntilItIsDone) {
  ASSERT_TRUE(BecomesWell());
  engine_.SetFaults([](std::size_t, const std::string& call) {
    return call.starts_with("DELETE /containers/") ? StandInEngine::Fault::kError500
                                                   : StandInEngine::Fault::kNone;
  });
  static_cast<void>(client_.Run(Job("exit")));
  EXPECT_TRUE(BecomesReadyWith("1 removal(s) overdue")) << Ready();
  EXPECT_THAT(Ready(), HasSubstr(R"("status":"degraded","checks")"));
  engine_.SetFaults({});
  EXPECT_TRUE(BecomesWell()) << Ready();
}

TEST_F(Probes, AnEngineThatDoesNotAnswerDegradesItAndHoldsUpNoProbe) {
  ASSERT_TRUE(BecomesWell());
  engine_.SetFaults([](std::size_t, const std::string&) { return StandInEngine::Fault::kHang; });
  EXPECT_TRUE(BecomesReadyWith(R"("engine","status":"degraded")")) << Ready();
  EXPECT_EQ(StatusOf(Probe(path_, "/healthz")), 200);
  engine_.SetFaults({});
  EXPECT_TRUE(BecomesWell()) << Ready();
}

TEST_F(Probes, ConnectionsThatSayNothingOrTooLittleHoldUpNobody) {
  std::vector<UniqueFd> idle;
  for (int i = 0; i < 100; ++i) {
    idle.push_back(ConnectProbe(path_));
    idle.push_back(ConnectProbe(port_));
    ASSERT_EQ(::send(idle.back().get(), "GET /", 5, MSG_NOSIGNAL), 5);
    ASSERT_EQ(StatusOf(Probe(path_, "/healthz")), 200);
  }
  EXPECT_EQ(StatusOf(Exchange(ConnectProbe(port_), "GET /healthz HTTP/1.0\r\n\r\n")), 200);
}

TEST_F(Probes, AHeadThatIsTooLongIsRefused) {
  const std::string head = "GET /healthz HTTP/1.1\r\nX: " + std::string(100'000, 'x');
  EXPECT_EQ(StatusOf(Exchange(ConnectProbe(path_), head)), 431);
  EXPECT_EQ(StatusOf(Exchange(ConnectProbe(port_), std::string(head, 0, 20'000))), 431);
}

}  // namespace
}  // namespace tidewaiter::testing
