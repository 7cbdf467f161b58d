// What runs on a cluster cost the broker: resident memory of each that waits, and the time of each
// besides the cluster's own. The cluster is the stand-in, in this process, so that only the broker
// is measured; its peer makes the same requests by hand, one after the other, and waits for the
// same news. Usage: cluster_runs_bench [WAITING_RUNS [ROUNDS]]
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <fstream>
#include <map>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "base/strong_id.h"
#include "broker/io/event_loop.h"
#include "broker/io/http_client.h"
#include "tests/bench/measure.h"
#include "tests/support/broker_process.h"
#include "tests/support/cluster_access.h"
#include "tests/support/gate_client.h"
#include "tests/support/scratch_folder.h"
#include "tests/support/stand_in_cluster.h"
#include "tests/support/stand_in_engine.h"

namespace tidewaiter::bench {
namespace {

using nlohmann::json;
using Clock = std::chrono::steady_clock;
using std::chrono::seconds;

double Millis(Clock::time_point begin) {
  return std::chrono::duration<double, std::milli>(Clock::now() - begin).count();
}

double StatusKiB(pid_t pid, const std::string& field) {
  std::ifstream status("/proc/" + std::to_string(pid) + "/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with(field + ":")) return std::strtod(line.c_str() + field.size() + 1, nullptr);
  }
  return 0;
}

[[noreturn]] void GiveUp(const std::string& why) {
  std::fprintf(stderr, "%s\n", why.c_str());
  std::exit(1);
}

// The requests of a run with nothing around them.
class BareCluster {
 public:
  explicit BareCluster(const std::string& address)
      : base_("http://" + address),
        loop_(*io::EventLoop::Start()),
        http_(*io::HttpClient::Create(*loop_)),
        jobs_([this](const std::stop_token& stop) { Watch(stop, "/apis/batch/v1", "jobs"); }),
        pods_([this](const std::stop_token& stop) { Watch(stop, "/api/v1", "pods"); }) {}

  void Run() {
    const std::string name = "tw-" + RandomId();
    const json labels{{"bench", "bare"}};
    const json metadata{{"name", name}, {"labels", labels}};
    const std::string policies = Path("/apis/networking.k8s.io/v1", "networkpolicies");
    const std::string jobs = Path("/apis/batch/v1", "jobs");
    Call("POST", policies, {{"metadata", metadata}, {"spec", json::object()}});
    Call("GET", policies + "/" + name, {});
    const json container{{"name", "job"}, {"image", "image"}, {"command", {"exit", "0"}}};
    const json job =
        Call("POST", jobs,
             {{"metadata", metadata},
              {"spec",
               {{"parallelism", 0},
                {"template",
                 {{"metadata", {{"labels", labels}}}, {"spec", {{"containers", {container}}}}}}}}});
    const json owner{{"kind", "Job"}, {"name", name}, {"uid", job["metadata"]["uid"]}};
    Call("PATCH", policies + "/" + name, {{"metadata", {{"ownerReferences", {owner}}}}});
    Call("PATCH", jobs + "/" + name, {{"spec", {{"parallelism", 1}}}});
    const std::string pod = Await("pods", [&](const json& event) {
      return Of(event, name) && event["object"]["status"]["phase"] == "Running";
    });
    io::HttpRequest log =
        Request("GET", Path("/api/v1", "pods") + "/" + pod + "/log?container=job&follow=true");
    if (!http_->Fetch(log, {}, Deadline::After(seconds(20)))) GiveUp("no log");
    Await("pods", [&](const json& event) {
      return Of(event, name) && event["object"]["status"]["phase"] == "Succeeded";
    });
    Call("DELETE", jobs + "/" + name, {{"propagationPolicy", "Foreground"}});
    Await("jobs", [&](const json& event) { return event["type"] == "DELETED" && Of(event, name); });
    Call("DELETE", policies + "/" + name, {}, true);
  }

 private:
  static bool Of(const json& event, const std::string& name) {
    return event["object"]["metadata"]["name"].get<std::string>().starts_with(name);
  }
  static std::string Path(const std::string& group, const std::string& plural) {
    return group + "/namespaces/tidewaiter/" + plural;
  }
  io::HttpRequest Request(const std::string& method, const std::string& path) {
    io::HttpRequest request;
    request.method = method;
    request.url = base_ + path;
    return request;
  }
  json Call(const std::string& method, const std::string& path, const json& body,
            bool may_be_gone = false) {
    io::HttpRequest request = Request(method, path);
    if (!body.is_null()) request.body = body.dump();
    const auto answer = http_->Fetch(request, {}, Deadline::After(seconds(20)));
    if (!answer) GiveUp(method + " " + path + ": " + answer.error().message);
    if (answer->status >= 300 && !may_be_gone) GiveUp(method + " " + path + ": " + answer->body);
    return json::parse(answer->body);
  }
  void Watch(const std::stop_token& stop, const std::string& group, const std::string& plural) {
    std::string rest;
    const auto ended = http_->Stream(
        Request("GET", Path(group, plural) + "?watch=1&labelSelector=bench&resourceVersion=1000"),
        stop, Deadline::Never(), {}, [&](std::string_view data) {
          rest.append(data);
          const std::lock_guard lock(mutex_);
          for (std::size_t end = 0; (end = rest.find('\n')) != std::string::npos;) {
            told_[plural].push_back(json::parse(rest.substr(0, end)));
            rest.erase(0, end + 1);
          }
          changed_.notify_all();
          return true;
        });
    if (!stop.stop_requested()) GiveUp("the watch of " + plural + " ended");
  }
  // The name of the object of the first such event, which is not told of again.
  template <typename Is>
  std::string Await(const std::string& plural, Is is) {
    std::unique_lock lock(mutex_);
    for (std::size_t& at = seen_[plural];; ++at) {
      changed_.wait(lock, [&] { return at < told_[plural].size(); });
      const json& event = told_[plural][at];
      if (is(event)) return event["object"]["metadata"]["name"];
    }
  }

  const std::string base_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::string, std::vector<json>> told_;
  std::map<std::string, std::size_t> seen_;
  std::unique_ptr<io::EventLoop> loop_;
  std::unique_ptr<io::HttpClient> http_;
  std::jthread jobs_;  // last: they use the others
  std::jthread pods_;
};

struct Waiting {
  grpc::ClientContext context;
  std::unique_ptr<testing::GateClient::Stream> stream;
};

v1::RunSpec Spec(const std::string& word, const std::string& argument) {
  v1::RunSpec spec;
  spec.set_image(std::string("127.0.0.1:5000/lab/toolbox:1.0.0@") +
                 testing::StandInEngine::kDigest);
  spec.add_command(word);
  spec.add_command(argument);
  return spec;
}

void MeasureTime(testing::StandInCluster& cluster, testing::BrokerProcess& broker, int rounds) {
  testing::GateClient client(broker.socket_path());
  // Once the others have given their slots back.
  if (!testing::Eventually(seconds(60), [&] {
        return client.Run(Spec("exit", "0")).Result().outcome() == v1::RunResult::EXITED;
      })) {
    GiveUp("no run after the waiting ones");
  }
  BareCluster bare(cluster.address());
  bare.Run();
  std::vector<double> through_broker;
  std::vector<double> by_hand;
  std::vector<double> differences;
  for (int i = 0; i < rounds; ++i) {
    auto begin = Clock::now();
    if (!client.Run(Spec("exit", "0")).Receipt().complete()) GiveUp("a run was not torn down");
    through_broker.push_back(Millis(begin));
    begin = Clock::now();
    bare.Run();
    by_hand.push_back(Millis(begin));
    differences.push_back(through_broker.back() - by_hand.back());
  }
  PrintRow("through the broker", through_broker, "ms");
  PrintRow("the same requests by hand", by_hand, "ms");
  PrintRow("the broker's part, in pairs", differences, "ms");
}

void MeasureMemory(testing::StandInCluster& cluster, testing::BrokerProcess& broker, int count,
                   int per_connection) {
  const double before = StatusKiB(broker.pid(), "VmRSS");
  const double threads = StatusKiB(broker.pid(), "Threads");
  std::vector<std::unique_ptr<testing::GateClient>> clients;
  std::vector<std::unique_ptr<Waiting>> waiting;
  v1::RunRequest request;
  *request.mutable_start()->mutable_spec() = Spec("say", "something");
  for (int i = 0; i < count; ++i) {
    if (i % per_connection == 0) {
      clients.push_back(std::make_unique<testing::GateClient>(broker.socket_path()));
    }
    auto run = std::make_unique<Waiting>();
    run->stream = clients.back()->broker().Run(&run->context);
    run->stream->Write(request);
    v1::RunEvent event;
    while (run->stream->Read(&event) && !event.has_output()) {
    }
    if (!event.has_output())
      GiveUp("a run did not start: " + run->stream->Finish().error_message());
    waiting.push_back(std::move(run));
  }
  const double after = StatusKiB(broker.pid(), "VmRSS");
  std::printf(
      "%d waiting runs on %zu connections: %.0f KiB before, %.0f KiB with them: "
      "%.1f KiB each\n",
      count, clients.size(), before, after, (after - before) / count);
  std::printf("threads: %.0f before, %.0f with them; watches in all: %zu\n", threads,
              StatusKiB(broker.pid(), "Threads"), cluster.Watches());
  for (const auto& run : waiting) run->context.TryCancel();
  waiting.clear();
  testing::Eventually(seconds(120), [&] { return cluster.Holdings().empty(); });
  std::printf("objects left after all clients vanished: %zu\n", cluster.Holdings().size());
}

int Main(int count, int rounds) {
  constexpr int kPerConnection = 50;
  const std::string connections = std::to_string(count / kPerConnection + 64);
  const std::string runs = std::to_string(count);
  const testing::ScratchFolder folder;
  testing::StandInEngine engine(folder / "engine.sock");
  testing::StandInCluster cluster;
  testing::BrokerProcess broker(
      {.docker_socket = folder / "engine.sock",
       .policy = testing::BrokerProcess::StandInClusterPolicy(),
       .settings = "max_runs = " + runs + "\nmax_runs_per_principal = " + runs +
                   "\nmax_connections = " + connections +
                   "\nmax_connections_per_uid = " + connections + "\nreap_interval = \"1h\"\n",
       .tables = testing::ClusterTable(folder, cluster.address())});
  testing::GateClient warm(broker.socket_path());
  if (warm.Run(Spec("exit", "0")).Result().outcome() != v1::RunResult::EXITED) return 1;
  MeasureMemory(cluster, broker, count, kPerConnection);
  MeasureTime(cluster, broker, rounds);
  return 0;
}

}  // namespace
}  // namespace tidewaiter::bench

int main(int argc, char** argv) {
  const int count = argc > 1 ? std::atoi(argv[1]) : 500;
  const int rounds = argc > 2 ? std::atoi(argv[2]) : 60;
  return count < 1 || rounds < 1 ? 2 : tidewaiter::bench::Main(count, rounds);
}
