// How fast an archive gets into a run, over the socket, through the worker, onto the disk; beside
// GNU tar, which reads the same file itself and unpacks it to the same disk. In turn, in pairs.
#include <fcntl.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "base/unique_fd.h"
#include "tests/bench/measure.h"
#include "tests/support/broker_process.h"
#include "tests/support/gate_client.h"
#include "tests/support/stand_in_engine.h"

namespace tidewaiter::bench {
namespace {

using Clock = std::chrono::steady_clock;
namespace fs = std::filesystem;

double Seconds(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

void Shell(const std::string& command) {
  if (std::system(command.c_str()) != 0) std::exit(1);
}

// `files` of `bytes` each, in folders of 100.
std::string MakeArchive(const fs::path& folder, const std::string& name, int files,
                        std::size_t bytes) {
  const fs::path tree = folder / name;
  std::mt19937_64 random(1);
  std::string content(bytes, '\0');
  for (char& c : content) c = static_cast<char>(random());
  for (int i = 0; i < files; ++i) {
    const fs::path in = tree / std::to_string(i / 100);
    fs::create_directories(in);
    std::ofstream(in / std::to_string(i)) << content;
  }
  const std::string archive = (folder / (name + ".tar")).string();
  Shell("tar -cf " + archive + " -C " + tree.string() + " .");
  fs::remove_all(tree);
  return archive;
}

// The tree is removed outside of the time, as a run's is after its end.
double Untar(const std::string& archive, const fs::path& into) {
  fs::create_directory(into);
  const auto begin = Clock::now();
  Shell("tar -xf " + archive + " -C " + into.string());
  const double took = Seconds(begin);
  fs::remove_all(into);
  return took;
}

// From the admission until the container is started.
double Upload(testing::GateClient& client, const std::string& archive, std::size_t piece_bytes) {
  v1::RunSpec spec;
  spec.set_image("127.0.0.1:5000/lab/toolbox:1.0.0@" +
                 std::string(testing::StandInEngine::kDigest));
  spec.add_command("exit");
  spec.add_command("0");
  spec.mutable_limits()->set_input_bytes(std::int64_t{2} << 30);
  v1::Mount& mount = *spec.add_mounts();
  mount.set_target("/in");
  mount.mutable_input()->set_name("code");
  Clock::time_point begin;
  double took = 0;
  std::thread sender;
  const testing::Transcript transcript = client.Run(
      spec,
      [&](const v1::RunEvent& event, auto& stream, auto&) {
        if (event.has_started()) took = Seconds(begin);
        if (!event.has_admitted()) return;
        begin = Clock::now();
        sender = std::thread([&stream, &archive, piece_bytes] {
          const UniqueFd file(::open(archive.c_str(), O_RDONLY | O_CLOEXEC));
          v1::RunRequest request;
          v1::InputPiece& piece = *request.mutable_input();
          piece.set_name("code");
          std::string& data = *piece.mutable_data();
          while (true) {
            data.resize(piece_bytes);
            const ssize_t got = ::read(file.get(), data.data(), data.size());
            if (got < 0) std::exit(1);
            data.resize(static_cast<std::size_t>(got));
            piece.set_last(got == 0);
            if (!stream.Write(request) || got == 0) return;
          }
        });
      },
      false, std::chrono::seconds(120));
  if (sender.joinable()) sender.join();
  if (transcript.Result().outcome() != v1::RunResult::EXITED) {
    std::fprintf(stderr, "%s %s\n", transcript.Result().message().c_str(),
                 transcript.status.error_message().c_str());
    std::exit(1);
  }
  return took;
}

void Compare(testing::GateClient& client, const std::string& name, const std::string& archive,
             const fs::path& scratch, int rounds, std::size_t piece_bytes) {
  std::vector<double> uploads;
  std::vector<double> peers;
  std::vector<double> ratios;
  for (int i = 0; i < rounds; ++i) {
    peers.push_back(1000 * Untar(archive, scratch / "peer"));
    uploads.push_back(1000 * Upload(client, archive, piece_bytes));
    ratios.push_back(uploads.back() / peers.back());
  }
  PrintRow(name + ", upload", uploads, "ms");
  PrintRow(name + ", tar -xf", peers, "ms");
  std::printf("median ratio of the times, upload / tar: %.3f\n\n", Median(ratios));
}

int Main(int rounds, std::size_t piece_bytes) {
  testing::ScratchFolder engine_folder;
  testing::StandInEngine engine(engine_folder / "engine.sock");
  testing::BrokerProcess broker({.docker_socket = engine_folder / "engine.sock",
                                 .policy = testing::BrokerProcess::StandInPolicy()});
  testing::GateClient client(broker.socket_path());
  const fs::path scratch = broker.folder();
  const std::string small = MakeArchive(scratch, "small", 20'000, 1000);
  const std::string big = MakeArchive(scratch, "big", 4, std::size_t{256} << 20U);
  Compare(client, "1 GiB in 4 files", big, scratch, rounds, piece_bytes);
  Compare(client, "20,000 files of 1 kB", small, scratch, rounds, piece_bytes);
  return 0;
}

}  // namespace
}  // namespace tidewaiter::bench

// upload_bench [ROUNDS [BYTES-OF-A-MESSAGE]]
int main(int argc, char** argv) {
  return tidewaiter::bench::Main(
      argc > 1 ? std::atoi(argv[1]) : 7,
      argc > 2 ? std::strtoul(argv[2], nullptr, 10) : std::size_t{256} << 10U);
}
