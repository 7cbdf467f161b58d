#include "tests/support/program.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <filesystem>
#include <system_error>

namespace tidewaiter::testing {
namespace {

struct Pipe {
  UniqueFd read, write;
};

Pipe MakePipe() {
  std::array<int, 2> fds{};
  EXPECT_EQ(::pipe2(fds.data(), O_CLOEXEC), 0);
  return {UniqueFd(fds[0]), UniqueFd(fds[1])};
}

std::vector<std::string> EnvironmentWith(const std::map<std::string, std::string>& more) {
  std::vector<std::string> entries;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string text = *entry;
    if (!more.contains(text.substr(0, text.find('=')))) entries.push_back(text);
  }
  for (const auto& [name, value] : more) entries.push_back(name + '=' + value);
  return entries;
}

std::vector<char*> Pointers(std::vector<std::string>& words) {
  std::vector<char*> pointers;
  for (std::string& word : words) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  return pointers;
}

// One read; false at the end.
bool ReadInto(UniqueFd& fd, std::string& text) {
  std::array<char, 65536> bytes{};
  const ssize_t got = ::read(fd.get(), bytes.data(), bytes.size());
  if (got > 0) text.append(bytes.data(), static_cast<std::size_t>(got));
  if (got == 0 || (got < 0 && errno != EINTR)) fd.Reset();
  return fd.valid();
}

}  // namespace

Program::Program(const std::string& name, std::vector<std::string> arguments,
                 const std::map<std::string, std::string>& environment) {
  const std::string path = std::filesystem::read_symlink("/proc/self/exe").replace_filename(name);
  Pipe in = MakePipe();
  Pipe out = MakePipe();
  Pipe err = MakePipe();
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, in.read.get(), STDIN_FILENO);
  ::posix_spawn_file_actions_adddup2(&actions, out.write.get(), STDOUT_FILENO);
  ::posix_spawn_file_actions_adddup2(&actions, err.write.get(), STDERR_FILENO);
  arguments.insert(arguments.begin(), path);
  std::vector<std::string> entries = EnvironmentWith(environment);
  const int error = ::posix_spawn(&pid_, path.c_str(), &actions, nullptr,
                                  Pointers(arguments).data(), Pointers(entries).data());
  ::posix_spawn_file_actions_destroy(&actions);
  if (error != 0) {
    pid_ = -1;
    ADD_FAILURE() << "start '" << path << "': " << std::generic_category().message(error);
  }
  stdin_ = std::move(in.write);
  stdout_ = std::move(out.read);
  stderr_ = std::move(err.read);
}

Program::~Program() {
  if (pid_ <= 0) return;
  Signal(SIGKILL);
  ::waitpid(pid_, nullptr, 0);
}

void Program::Feed(const std::string& bytes) {
  std::size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t put = ::write(stdin_.get(), bytes.data() + done, bytes.size() - done);
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return;
    done += static_cast<std::size_t>(put);
  }
}

void Program::Signal(int number) const {
  if (pid_ > 0) ::kill(pid_, number);
}

bool Program::Prints(const std::string& text, std::chrono::seconds within) {
  return Awaits(text, out_, within);
}

bool Program::Complains(const std::string& text, std::chrono::seconds within) {
  return Awaits(text, err_, within);
}

bool Program::Awaits(const std::string& text, const std::string& where,
                     std::chrono::seconds within) {
  const auto until = std::chrono::steady_clock::now() + within;
  while (where.find(text) == std::string::npos) {
    if (!Collect(until)) return where.find(text) != std::string::npos;
  }
  return true;
}

bool Program::Collect(std::chrono::steady_clock::time_point until) {
  if (!stdout_ && !stderr_) return false;
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
      until - std::chrono::steady_clock::now());
  if (left.count() <= 0) return false;
  // poll(2) passes over negative descriptors.
  std::array<pollfd, 2> waits = {{{stdout_.get(), POLLIN, 0}, {stderr_.get(), POLLIN, 0}}};
  if (::poll(waits.data(), waits.size(), static_cast<int>(left.count())) < 0) return true;
  if (waits[0].revents != 0) ReadInto(stdout_, out_);
  if (waits[1].revents != 0) ReadInto(stderr_, err_);
  return true;
}

Program::Ended Program::Wait(std::chrono::seconds within) {
  CloseStdin();
  const auto until = std::chrono::steady_clock::now() + within;
  while (Collect(until)) {
  }
  Ended ended{.out = out_, .err = err_};
  if (pid_ <= 0) return ended;
  const bool in_time = !stdout_ && !stderr_;
  if (!in_time) Signal(SIGKILL);
  int status = 0;
  ::waitpid(pid_, &status, 0);
  pid_ = -1;
  if (in_time) ended.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return ended;
}

}  // namespace tidewaiter::testing
