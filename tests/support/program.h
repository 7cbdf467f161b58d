// Runs a program of the build with its arguments and feeds it, as a shell would: what the tests see
// is bytes and an exit status.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <map>
#include <string>
#include <vector>

#include "base/unique_fd.h"

namespace tidewaiter::testing {

class Program {
 public:
  struct Ended {
    int status = -1;  // exit status, 128 + the signal, or -1 where it had to be killed
    std::string out;
    std::string err;
  };

  // `name` is looked for beside the running test; `environment` is set over the test's own.
  Program(const std::string& name, std::vector<std::string> arguments,
          const std::map<std::string, std::string>& environment = {});
  // Kills it where it still runs.
  ~Program();
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  // To its stdin; blocks while it reads slowly. The test's SIGPIPE must be ignored.
  void Feed(const std::string& bytes);
  void CloseStdin() { stdin_.Reset(); }
  // Nobody reads its stdout any more.
  void CloseStdout() { stdout_.Reset(); }
  void Signal(int number) const;

  // Whether its stdout (or stderr) so far contains `text`, waiting up to `within` for it.
  bool Prints(const std::string& text, std::chrono::seconds within = std::chrono::seconds(30));
  bool Complains(const std::string& text, std::chrono::seconds within = std::chrono::seconds(30));

  // Closes its stdin and waits for its end.
  Ended Wait(std::chrono::seconds within = std::chrono::seconds(60));

 private:
  // Takes in what there is; false: both outputs have ended, or the time is over.
  bool Collect(std::chrono::steady_clock::time_point until);
  bool Awaits(const std::string& text, const std::string& where, std::chrono::seconds within);

  pid_t pid_ = -1;
  UniqueFd stdin_, stdout_, stderr_;
  std::string out_, err_;
};

}  // namespace tidewaiter::testing
