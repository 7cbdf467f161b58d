#include "tests/support/broker_process.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <system_error>
#include <utility>

#include "audit/segment_name.h"
#include "base/unique_fd.h"
#include "tests/support/record_schema.h"

namespace tidewaiter::testing {
namespace {

std::string Environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

std::string ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

void WriteFile(const std::string& path, const std::string& text) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << text;
}

// connect(2) or bind(2).
bool WithAddress(const std::string& path, int fd, int (*call)(int, const sockaddr*, socklen_t)) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof(address.sun_path)) return false;
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  const auto* generic = static_cast<const sockaddr*>(static_cast<const void*>(&address));
  return call(fd, generic, sizeof(address)) == 0;
}

UniqueFd Connect(const std::string& path) {
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  return WithAddress(path, fd.get(), ::connect) ? std::move(fd) : UniqueFd();
}

// The body of a GET that the engine answers on a connection of its own.
std::string Get(const std::string& docker_socket, const std::string& target) {
  const UniqueFd fd = Connect(docker_socket);
  if (!fd) return "";
  const std::string request = "GET " + target + " HTTP/1.0\r\nHost: docker\r\n\r\n";
  if (::send(fd.get(), request.data(), request.size(), MSG_NOSIGNAL) < 0) return "";
  std::string answer;
  std::array<char, 8192> bytes{};
  for (;;) {
    const ssize_t n = ::recv(fd.get(), bytes.data(), bytes.size(), 0);
    if (n <= 0) break;
    answer.append(bytes.data(), static_cast<std::size_t>(n));
  }
  const std::size_t body = answer.find("\r\n\r\n");
  return body == std::string::npos ? "" : answer.substr(body + 4);
}

// All programs of a build lie in one folder, this one among them.
std::string BuiltProgram(const char* name) {
  return std::filesystem::read_symlink("/proc/self/exe").replace_filename(name);
}

std::string Principal() {
  return "\n[[principal]]\nname = \"tester\"\nuid = " + std::to_string(::geteuid()) +
         "\nroles = [\"run\", \"operate\", \"audit\"]\npolicy = \"default\"\n";
}

}  // namespace

std::string BrokerProcess::LabPolicy(const std::string& extra) {
  return "version = 1\nmode = \"production\"\n[[images.allow]]\nrepository = \"" +
         Environment("TIDEWAITER_LAB_REGISTRY") +
         "/lab/*\"\n[network]\nmodes = [\"none\", \"isolated\"]\n" + extra + Principal();
}

std::string BrokerProcess::StandInPolicy(const std::string& extra) {
  return "version = 1\nmode = \"production\"\n[images]\nverify_tag = false\n[[images.allow]]\n"
         "repository = \"127.0.0.1:5000/lab/*\"\n[network]\nmodes = [\"none\", \"isolated\"]\n" +
         extra + Principal();
}

std::string BrokerProcess::StandInClusterPolicy(const std::string& extra) {
  std::string policy = StandInPolicy(extra);
  const std::string mode = "\"production\"\n";
  policy.replace(policy.find(mode), mode.size(), "\"development\"\nbackend = \"kubernetes\"\n");
  return policy;
}

BrokerProcess::BrokerProcess(Options options) : options_(std::move(options)) {
  const std::string registry =
      options_.registry.empty() ? Environment("TIDEWAITER_LAB_REGISTRY") : options_.registry;
  WriteFile(folder_ / "policy.toml", options_.policy.empty() ? LabPolicy() : options_.policy);
  std::string config = "version = 1\nsocket = \"" + socket_path() + "\"\npolicy = \"" +
                       (folder_ / "policy.toml") + "\"\nstate_dir = \"" + (folder_ / "state") +
                       "\"\naudit_dir = \"" + audit_dir() + "\"\n" + options_.settings +
                       "\n[docker]\nsocket = \"" + options_.docker_socket + "\"\n" +
                       options_.docker_settings;
  config += "[registry]\n" + options_.registry_settings;
  if (!registry.empty()) config += "plain_http = [\"" + registry + "\"]\n";
  WriteFile(folder_ / "tidewaiter.toml", config + options_.tables);
  for (const char* name : {"/policy.toml", "/tidewaiter.toml"})
    ::chmod((folder_ / name).c_str(), 0600);
  for (const std::string& path : {folder_ / "state", audit_dir()}) ::mkdir(path.c_str(), 0700);
  if (options_.activated) Listen();
  Start();
}

void BrokerProcess::Listen() {
  listener_ = UniqueFd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  EXPECT_TRUE(WithAddress(socket_path(), listener_.get(), ::bind)) << socket_path();
  EXPECT_EQ(::listen(listener_.get(), SOMAXCONN), 0);
}

BrokerProcess::~BrokerProcess() {
  if (Running() && Stop() < 0) Kill();
  if (::testing::UnitTest::GetInstance()->current_test_info() != nullptr) ExpectRecordsFit();
  if (::testing::Test::HasFailure()) {
    std::fprintf(stderr, "--- log of tidewaiterd\n%s---\n", Log().c_str());
  }
}

// Whatever the test was about: its records are those that the schema knows. The first of them,
// where it made very many.
void BrokerProcess::ExpectRecordsFit() const {
  constexpr std::size_t kMost = 2000;
  std::vector<std::string> lines;
  for (std::string& line : RecordsIn(folder_ / "audit")) {
    if (line.starts_with('{') && lines.size() < kMost) lines.push_back(std::move(line));
  }
  if (lines.empty()) return;
  for (const std::string& fault : SchemaFaults(lines)) ADD_FAILURE() << fault;
}

void BrokerProcess::Start() {
  const std::string program = BuiltProgram("tidewaiterd");
  const std::string config = folder_ / "tidewaiter.toml";
  const std::string log = folder_ / "stderr";
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_addopen(&actions, 1, log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
  ::posix_spawn_file_actions_adddup2(&actions, 1, 2);
  std::vector<std::string> words{program, "--config", config};
  if (listener_) {
    ::posix_spawn_file_actions_adddup2(&actions, listener_.get(), 3);  // sd_listen_fds(3)
    // A shell, since LISTEN_PID must name the process that does not exist yet.
    const std::string script = "LISTEN_PID=$$ LISTEN_FDS=1 exec \"$0\" \"$@\"";
    words.insert(words.begin(), {"/bin/sh", "-c", script});
  }
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  const int error = ::posix_spawn(&pid_, argv[0], &actions, nullptr, argv.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  if (error != 0) {
    pid_ = -1;
    ADD_FAILURE() << "start '" << program << "': " << std::generic_category().message(error);
    return;
  }
  if (!options_.expect_start || listener_) return;
  const bool serves = Eventually(std::chrono::seconds(20),
                                 [&] { return !Running() || Connect(socket_path()).valid(); });
  EXPECT_TRUE(serves && Running()) << "tidewaiterd does not serve:\n" << Log();
}

std::string BrokerProcess::ObstructAudit() const {
  std::ifstream log(audit_file());
  std::uint64_t records = 0;
  for (std::string line; std::getline(log, line);) ++records;
  std::filesystem::rename(audit_file(), audit_file() + ".1");
  const std::string next = audit_dir() + "/" + audit::SegmentFileName(records, audit::kLinesSuffix);
  std::ofstream(next) << "not a log\n";
  std::filesystem::permissions(next, std::filesystem::perms(0600));
  return next;
}

bool BrokerProcess::Running() const {
  if (pid_ <= 0) return false;
  siginfo_t info{};
  return ::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
         info.si_pid == 0;
}

int BrokerProcess::Wait(std::chrono::seconds within) {
  if (pid_ <= 0) return -1;
  // A pidfd becomes readable when the process ends (pidfd_open(2)); glibc 2.36 has no wrapper in
  // C++20 mode everywhere.
  const UniqueFd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0)));
  pollfd poll_fd{.fd = pidfd.get(), .events = POLLIN, .revents = 0};
  const auto millis = std::chrono::duration_cast<std::chrono::milliseconds>(within).count();
  if (::poll(&poll_fd, 1, static_cast<int>(millis)) <= 0) return -1;
  int status = 0;
  ::waitpid(pid_, &status, 0);
  pid_ = -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int BrokerProcess::Stop(std::chrono::seconds within) {
  if (pid_ > 0) ::kill(pid_, SIGTERM);
  return Wait(within);
}

void BrokerProcess::Kill() {
  if (pid_ > 0) ::kill(pid_, SIGKILL);
  Wait(std::chrono::seconds(10));
}

void BrokerProcess::Restart() {
  if (Running()) Stop();
  Start();
}

int BrokerProcess::RestartRefused() {
  const bool expected = std::exchange(options_.expect_start, false);
  Restart();
  options_.expect_start = expected;
  return Wait(std::chrono::seconds(20));
}

std::string BrokerProcess::Log() const {
  return ReadFile(folder_ / "stderr");
}

std::string BrokerProcess::broker_id() const {
  std::string id = ReadFile(folder_ / "state/broker_id");
  while (!id.empty() && (id.back() == '\n' || id.back() == ' ')) id.pop_back();
  return id;
}

std::vector<std::string> LabelledLeftovers(const std::string& docker_socket,
                                           const std::string& broker_id) {
  const std::string filters =
      "?all=1&filters=%7B%22label%22%3A%5B%22io.tidewaiter.broker%3D" + broker_id + "%22%5D%7D";
  std::vector<std::string> found;
  for (const char* kind : {"containers/json", "networks"}) {
    const std::string body = Get(docker_socket, "/v1.41/" + std::string(kind) + filters);
    const nlohmann::json list = nlohmann::json::parse(body, nullptr, false);
    if (!list.is_array()) {
      found.push_back("no answer about " + std::string(kind) + ": " + body);
      continue;
    }
    for (const nlohmann::json& entry : list)
      found.push_back(std::string(kind) + " " + entry.value("Id", "?"));
  }
  return found;
}

}  // namespace tidewaiter::testing
