// What a waiting run costs: resident memory of the daemon per run, and its CPU time while nothing
// happens. The engine is the stand-in, in this process, so that only the broker is measured.
// Usage: waiting_runs_bench [RUNS [RUNS_PER_CONNECTION]]
#include <poll.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "tests/bench/measure.h"
#include "tests/support/broker_process.h"
#include "tests/support/gate_client.h"
#include "tests/support/scratch_folder.h"
#include "tests/support/stand_in_engine.h"

namespace {

double ResidentKiB(pid_t pid) {
  std::ifstream status("/proc/" + std::to_string(pid) + "/status");
  std::string line;
  while (std::getline(status, line)) {
    if (line.starts_with("VmRSS:")) return std::strtod(line.c_str() + 6, nullptr);
  }
  return 0;
}

// utime + stime of /proc/PID/stat (proc(5)), in milliseconds.
double CpuMillis(pid_t pid) {
  std::ifstream stat("/proc/" + std::to_string(pid) + "/stat");
  std::string text;
  std::getline(stat, text);
  std::istringstream rest(text.substr(text.rfind(')') + 2));
  std::string field;
  for (int i = 0; i < 11; ++i) rest >> field;
  double user = 0;
  double system = 0;
  rest >> user >> system;
  return (user + system) * 1000 / static_cast<double>(::sysconf(_SC_CLK_TCK));
}

struct Waiting {
  grpc::ClientContext context;
  std::unique_ptr<tidewaiter::testing::GateClient::Stream> stream;
};

}  // namespace

int main(int argc, char** argv) {
  using namespace tidewaiter;
  const int count = argc > 1 ? std::atoi(argv[1]) : 1000;
  const int per_connection = argc > 2 ? std::atoi(argv[2]) : 50;
  if (count < 1 || per_connection < 1) return 2;
  const std::string connections = std::to_string(count / per_connection + 64);
  testing::ScratchFolder folder;
  testing::StandInEngine engine(folder / "engine.sock");
  testing::BrokerProcess broker({.docker_socket = folder / "engine.sock",
                                 .policy = testing::BrokerProcess::StandInPolicy(),
                                 .settings = "max_runs = " + std::to_string(count) +
                                             "\nmax_runs_per_principal = " + std::to_string(count) +
                                             "\nmax_connections = " + connections +
                                             "\nmax_connections_per_uid = " + connections + "\n"});
  v1::RunRequest request;
  request.mutable_start()->mutable_spec()->set_image(
      std::string("127.0.0.1:5000/lab/toolbox:1.0.0@") + testing::StandInEngine::kDigest);
  request.mutable_start()->mutable_spec()->add_command("wait");

  testing::GateClient warm(broker.socket_path());
  v1::RunSpec first = request.start().spec();
  first.set_command(0, "exit");
  first.add_command("0");
  if (warm.Run(first).Result().outcome() != v1::RunResult::EXITED) return 1;
  const double before = ResidentKiB(broker.pid());

  std::vector<std::unique_ptr<testing::GateClient>> clients;
  std::vector<std::unique_ptr<Waiting>> waiting;
  for (int i = 0; i < count; ++i) {
    if (i % per_connection == 0)
      clients.push_back(std::make_unique<testing::GateClient>(broker.socket_path()));
    auto run = std::make_unique<Waiting>();
    run->stream = clients.back()->broker().Run(&run->context);
    run->stream->Write(request);
    v1::RunEvent event;
    while (run->stream->Read(&event) && !event.has_started()) {
    }
    if (!event.has_started()) {
      std::fprintf(stderr, "run %d did not start: %s\n", i,
                   run->stream->Finish().error_message().c_str());
      return 1;
    }
    waiting.push_back(std::move(run));
  }
  const double after = ResidentKiB(broker.pid());
  const double cpu_before = CpuMillis(broker.pid());
  ::poll(nullptr, 0, 10000);
  const double cpu = CpuMillis(broker.pid()) - cpu_before;
  std::printf("%d waiting runs on %zu connections: ", count, clients.size());
  std::printf("%.0f KiB before, %.0f KiB with them: %.1f KiB each\n", before, after,
              (after - before) / count);
  std::printf("CPU of the broker in 10 s of waiting: %.0f ms\n", cpu);

  for (const auto& run : waiting) run->context.TryCancel();
  waiting.clear();
  const bool clean =
      testing::Eventually(std::chrono::seconds(60), [&] { return engine.ContainerCount() == 0; });
  std::printf("containers left after all clients vanished: %zu\n", engine.ContainerCount());
  return clean ? 0 : 1;
}
