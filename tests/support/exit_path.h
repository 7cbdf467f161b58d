// Every way in which a run can end, as a client brings it about. To add one: a function that runs
// it in a world, and a line in AttachedPaths, DetachedPaths or ArchivePaths.
#pragma once

#include <functional>
#include <ostream>
#include <string>
#include <vector>

#include "tests/support/fault_world.h"

namespace tidewaiter::testing {

struct ExitPath {
  std::string name;
  // Brings it about, whatever fails meanwhile, and returns what the client saw.
  std::function<ClientAnswer(FaultWorld&)> run;
  // Whether that is how the path ends where nothing fails.
  std::function<bool(const ClientAnswer&)> reached;
  // Whether another broker has a part in it: one that does not know which calls the former one has
  // left without an answer, so that what they still bring about is found by its labels alone.
  bool changes_broker = false;
};

inline void PrintTo(const ExitPath& path, std::ostream* out) {
  *out << "a run that " << path.name;
}
// Its name as gtest takes it: letters and digits.
std::string TestNameOf(const ExitPath& path);

std::vector<ExitPath> AttachedPaths();
// The broker's death is not the run's: it goes on, and ends before anything else is looked at.
std::vector<ExitPath> DetachedPaths();
// With the archive worker, which does not run under a sanitizer.
std::vector<ExitPath> ArchivePaths();

// On a cluster, where DetachedPaths can be taken as well.
std::vector<ExitPath> ClusterPaths();
// Likewise with an input and an output, and so with the archive worker.
std::vector<ExitPath> ClusterFilePaths();

// Those that the real engine can take as well.
std::vector<ExitPath> EnginePaths();

}  // namespace tidewaiter::testing
