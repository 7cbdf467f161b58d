// Explain over the socket: one client, one call at a time, against the real daemon.
#include <chrono>
#include <cstdlib>
#include <string>
#include <vector>

#include "tests/bench/measure.h"
#include "tests/support/broker_process.h"
#include "tests/support/gate_client.h"
#include "tests/support/scratch_folder.h"
#include "tests/support/stand_in_engine.h"

int main(int argc, char** argv) {
  using namespace tidewaiter;
  const int calls = argc > 1 ? std::atoi(argv[1]) : 5000;
  testing::ScratchFolder folder;
  testing::StandInEngine engine(folder / "engine.sock");
  testing::BrokerProcess broker(
      {.docker_socket = folder / "engine.sock", .policy = testing::BrokerProcess::StandInPolicy()});
  testing::GateClient client(broker.socket_path());

  v1::ExplainRequest request;
  request.mutable_spec()->set_image(std::string("127.0.0.1:5000/lab/toolbox:1.0.0@") +
                                    testing::StandInEngine::kDigest);
  request.mutable_spec()->add_command("true");
  (*request.mutable_spec()->mutable_env())["SEED"] = "7";
  request.mutable_spec()->mutable_limits()->set_memory_bytes(1 << 30);

  std::vector<double> explain;
  std::vector<double> list;
  for (int i = 0; i < calls + 200; ++i) {
    const auto begin = std::chrono::steady_clock::now();
    {
      grpc::ClientContext context;
      v1::ExplainResponse response;
      if (!client.broker().Explain(&context, request, &response).ok() || !response.admitted())
        return 1;
    }
    const auto middle = std::chrono::steady_clock::now();
    {
      grpc::ClientContext context;
      v1::ListResponse response;
      if (!client.broker().List(&context, v1::ListRequest(), &response).ok()) return 1;
    }
    const auto end = std::chrono::steady_clock::now();
    if (i < 200) continue;  // the first calls open the connection and warm the caches
    explain.push_back(std::chrono::duration<double, std::micro>(middle - begin).count());
    list.push_back(std::chrono::duration<double, std::micro>(end - middle).count());
  }
  bench::PrintRow("Explain", explain, "us");
  bench::PrintRow("List, no runs (peer)", list, "us");
  return 0;
}
