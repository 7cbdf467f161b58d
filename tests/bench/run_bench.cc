// A no-op run, three ways, in turn on the same engine: through the broker; by the bare calls
// create, attach, start, wait, remove with the same hardened body; and by `docker run --rm` with
// the same flags. Medians and the ratios pair by pair.
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "base/completion.h"
#include "broker/io/duplex_stream.h"
#include "broker/io/event_loop.h"
#include "broker/io/http_client.h"
#include "tests/bench/bare_engine.h"
#include "tests/bench/measure.h"
#include "tests/support/broker_process.h"
#include "tests/support/gate_client.h"
#include "tests/support/lab.h"

namespace tidewaiter::bench {
namespace {

using nlohmann::json;
using Clock = std::chrono::steady_clock;

double Millis(Clock::time_point begin) {
  return std::chrono::duration<double, std::milli>(Clock::now() - begin).count();
}

// The calls of a run by hand.
void RunBare(BareEngine& engine) {
  const json created =
      json::parse(engine.Call("POST", "/containers/create", engine.Body().dump(), 201));
  const std::string path = "/containers/" + created["Id"].get<std::string>();
  Completion<bool> ended;
  io::DuplexStream::Callbacks callbacks{
      .on_data = [](std::span<const std::byte>) { return true; },
      .on_end = [&](const std::optional<Error>&) { ended.Set(true); },
      .on_room = [] {}};
  auto attached = io::DuplexStream::Open(engine.loop(), engine.socket(),
                                         "/v1.41" + path + "/attach?stream=1&stdout=1&stderr=1",
                                         callbacks, {}, Deadline::After(std::chrono::seconds(10)));
  if (!attached.has_value()) std::abort();
  engine.Call("POST", path + "/start", "", 204);
  engine.Call("POST", path + "/wait", "", 200);
  if (!ended.Wait({}, Deadline::After(std::chrono::seconds(10)))) std::abort();
  attached->reset();
  engine.Call("DELETE", path + "?force=1&v=1", "", 204);
}

void DockerRun(const std::string& socket, const std::string& image) {
  std::vector<std::string> words{"docker",
                                 "-H",
                                 "unix://" + socket,
                                 "run",
                                 "--rm",
                                 "--init",
                                 "--read-only",
                                 "--cap-drop",
                                 "ALL",
                                 "--security-opt",
                                 "no-new-privileges",
                                 "--network",
                                 "none",
                                 "--memory",
                                 "2g",
                                 "--memory-swap",
                                 "2g",
                                 "--cpus",
                                 "1",
                                 "--pids-limit",
                                 "256",
                                 "--ulimit",
                                 "nofile=1024:1024",
                                 "--ipc",
                                 "private",
                                 "--cgroupns",
                                 "private",
                                 "--tmpfs",
                                 "/tmp:rw,noexec,nosuid,nodev,size=67108864,mode=1777",
                                 "--log-driver",
                                 "none",
                                 "--user",
                                 "65534:65534",
                                 image,
                                 "true"};
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  pid_t pid = 0;
  if (::posix_spawnp(&pid, "/usr/bin/docker", nullptr, nullptr, argv.data(), environ) != 0)
    std::exit(1);
  int status = 0;
  ::waitpid(pid, &status, 0);
  if (status != 0) std::exit(1);
}

int Main(int rounds) {
  const auto lab = testing::FindLab();
  if (!lab) {
    std::fprintf(stderr, "no engine: see tests/lab/engine\n");
    return 1;
  }
  testing::BrokerProcess broker({.docker_socket = lab->docker_socket});
  testing::GateClient client(broker.socket_path());
  BareEngine bare(lab->docker_socket, lab->image);
  v1::RunSpec spec;
  spec.set_image(lab->image);
  spec.add_command("true");
  // Resolve the tag once before: the first run pulls.
  if (client.Run(spec).Result().outcome() != v1::RunResult::EXITED) return 1;
  RunBare(bare);

  std::vector<double> through_broker;
  std::vector<double> by_api;
  std::vector<double> by_docker;
  std::vector<double> ratio_api;
  std::vector<double> ratio_docker;
  for (int i = 0; i < rounds; ++i) {
    auto begin = Clock::now();
    const testing::Transcript transcript = client.Run(spec);
    through_broker.push_back(Millis(begin));
    if (!transcript.Receipt().complete()) return 1;
    begin = Clock::now();
    RunBare(bare);
    by_api.push_back(Millis(begin));
    begin = Clock::now();
    DockerRun(lab->docker_socket, lab->image);
    by_docker.push_back(Millis(begin));
    ratio_api.push_back(through_broker.back() / by_api.back());
    ratio_docker.push_back(through_broker.back() / by_docker.back());
  }
  PrintRow("through the broker", through_broker, "ms");
  PrintRow("bare engine API", by_api, "ms");
  PrintRow("docker run --rm", by_docker, "ms");
  std::printf("median ratio, broker / bare API:   %.3f (medians: %.3f)\n", Median(ratio_api),
              Median(through_broker) / Median(by_api));
  std::printf("median ratio, broker / docker run: %.3f (medians: %.3f)\n", Median(ratio_docker),
              Median(through_broker) / Median(by_docker));
  return 0;
}

}  // namespace
}  // namespace tidewaiter::bench

int main(int argc, char** argv) {
  return tidewaiter::bench::Main(argc > 1 ? std::atoi(argv[1]) : 60);
}
