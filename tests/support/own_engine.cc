#include "tests/support/own_engine.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <fstream>
#include <iterator>

#include "base/unique_fd.h"
#include "tests/support/broker_process.h"
#include "tests/support/http_exchange.h"
#include "tests/support/http_probe.h"

namespace tidewaiter::testing {
namespace {

using std::chrono::seconds;

pid_t PeerOf(const std::string& socket) {
  const UniqueFd connection = ConnectTo(socket);
  ucred peer{};
  socklen_t size = sizeof peer;
  const bool told =
      ::getsockopt(connection.get(), SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && size > 0;
  return told ? peer.pid : -1;
}

std::vector<std::string> CommandLine(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/cmdline");
  std::vector<std::string> words;
  for (std::string word; std::getline(file, word, '\0');) words.push_back(word);
  return words;
}

// The lab's engine has a runtime that works on this machine.
std::vector<std::string> RuntimeOf(pid_t engine) {
  const std::vector<std::string> words = CommandLine(engine);
  std::vector<std::string> runtime;
  for (std::size_t i = 0; i + 1 < words.size(); ++i) {
    if (words[i] != "--add-runtime" && words[i] != "--default-runtime") continue;
    runtime.insert(runtime.end(), {words[i], words[i + 1]});
  }
  return runtime;
}

bool Answers(const std::string& socket) {
  const UniqueFd connection = ConnectProbe(socket);
  // It listens before it serves, and forgets who came in between.
  const timeval soon{.tv_sec = 1, .tv_usec = 0};
  ::setsockopt(connection.get(), SOL_SOCKET, SO_RCVTIMEO, &soon, sizeof soon);
  return StatusOf(Exchange(connection, "GET /_ping HTTP/1.1\r\nHost: docker\r\n\r\n")) == 200;
}

pid_t Spawn(std::vector<std::string> words, const std::string& log) {
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, log.c_str(),
                                     O_WRONLY | O_CREAT | O_APPEND, 0600);
  ::posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO);
  pid_t pid = -1;
  if (::posix_spawnp(&pid, argv[0], &actions, nullptr, argv.data(), environ) != 0) pid = -1;
  ::posix_spawn_file_actions_destroy(&actions);
  return pid;
}

// -1 where it has none yet.
pid_t ChildOf(pid_t parent) {
  const std::string name = std::to_string(parent);
  std::ifstream file("/proc/" + name + "/task/" + name + "/children");
  pid_t child = -1;
  file >> child;
  return file ? child : -1;
}

pid_t AwaitChild(pid_t parent, const std::string& program) {
  pid_t child = -1;
  EXPECT_TRUE(Eventually(seconds(20), [&] {
    child = ChildOf(parent);
    const auto words = CommandLine(child);
    return !words.empty() && words[0] == program;
  })) << program;
  return child;
}

void Run(std::vector<std::string> words, const std::string& log) {
  ::waitpid(Spawn(std::move(words), log), nullptr, 0);
}

// Without a bridge of its own it would take the lab's engine's away.
constexpr const char* kBridge = "tw-own-engine";

}  // namespace

OwnEngine::OwnEngine(const Lab& lab, std::vector<std::string> flags) : flags_(std::move(flags)) {
  const pid_t lab_engine = PeerOf(lab.docker_socket);
  const std::vector<std::string> runtime = RuntimeOf(lab_engine);
  flags_.insert(flags_.end(), runtime.begin(), runtime.end());
  network_ = "--net=/proc/" + std::to_string(lab_engine) + "/ns/net";
  Run({"nsenter", network_, "ip", "link", "add", kBridge, "type", "bridge"}, folder_ / "ip.log");
  Run({"nsenter", network_, "ip", "address", "add", "172.31.255.1/24", "dev", kBridge},
      folder_ / "ip.log");
  // With an init: an engine that comes back takes a containerd whose corpse is there for a live
  // one.
  holder_ = Spawn({"nsenter", network_, "unshare", "--mount", "--pid", "--fork", "--kill-child",
                   "--mount-proc", "--propagation", "slave", "tini", "--", "sleep", "infinity"},
                  folder_ / "holder.log");
  AwaitChild(holder_, "tini");
  Start();
}

OwnEngine::~OwnEngine() {
  End(SIGKILL);
  ::kill(holder_, SIGKILL);
  ::waitpid(holder_, nullptr, 0);
  Run({"nsenter", network_, "ip", "link", "delete", kBridge}, folder_ / "ip.log");
}

void OwnEngine::Kill() {
  End(SIGKILL);
}

void OwnEngine::Stop() {
  End(SIGTERM);
}

void OwnEngine::End(int signal) {
  if (engine_ < 0) return;
  const pid_t dockerd = ChildOf(engine_);
  if (dockerd > 0) ::kill(dockerd, signal);
  ::waitpid(engine_, nullptr, 0);
  engine_ = -1;
}

void OwnEngine::Start() {
  std::vector<std::string> words{"nsenter",
                                 "--target",
                                 std::to_string(ChildOf(holder_)),
                                 "--mount",
                                 "--pid",
                                 "--net",
                                 "dockerd",
                                 "--data-root",
                                 folder_ / "data",
                                 "--exec-root",
                                 folder_ / "exec",
                                 "--pidfile",
                                 folder_ / "dockerd.pid",
                                 "-H",
                                 "unix://" + socket(),
                                 "--bridge",
                                 kBridge,
                                 "--iptables=false",
                                 "--ip-forward=false",
                                 "--shutdown-timeout",
                                 "5"};
  words.insert(words.end(), flags_.begin(), flags_.end());
  engine_ = Spawn(std::move(words), folder_ / "dockerd.log");
  AwaitChild(engine_, "dockerd");
  EXPECT_TRUE(Eventually(seconds(60), [this] { return Answers(socket()); })) << std::string(
      std::istreambuf_iterator<char>(std::ifstream(folder_ / "dockerd.log").rdbuf()), {});
}

}  // namespace tidewaiter::testing
