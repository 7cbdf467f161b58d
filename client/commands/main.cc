// The program `tidewaiter`.
#include <grpc/support/log.h>

#include <csignal>
#include <cstdlib>
#include <string>
#include <vector>

#include "client/commands/program.h"

namespace {

// gRPC writes its own diagnostics to stderr, which here belongs to the job.
void DropLog(gpr_log_func_args* /*args*/) {}

}  // namespace

int main(int argc, char** argv) {
  // A reader that has gone away is an error of write(2), not a death.
  std::signal(SIGPIPE, SIG_IGN);
  if (std::getenv("GRPC_VERBOSITY") == nullptr) gpr_set_log_function(DropLog);
  return tidewaiter::cli::RunProgram(std::vector<std::string>(argv + 1, argv + argc));
}
