// How a broker is told of a cluster that speaks plain HTTP.
#pragma once

#include <sys/stat.h>

#include <fstream>
#include <string>

#include "tests/support/scratch_folder.h"

namespace tidewaiter::testing {

// The table [kubernetes], without an end: more keys may follow. Writes the kubeconfig that it names
// into the folder. `address`: "127.0.0.1:PORT".
inline std::string ClusterTable(const ScratchFolder& folder, const std::string& address) {
  const std::string path = folder / "kubeconfig";
  std::ofstream(path)
      << "apiVersion: v1\nkind: Config\ncurrent-context: stand-in\n"
         "clusters:\n- {name: stand-in, cluster: {server: \"http://" +
             address +
             "\"}}\n"
             "contexts:\n- {name: stand-in, context: {cluster: stand-in, user: broker}}\n"
             "users:\n- {name: broker, user: {token: stand-in}}\n";
  ::chmod(path.c_str(), 0600);
  return "[kubernetes]\nkubeconfig = \"" + path + "\"\nnamespace = \"tidewaiter\"\n";
}

}  // namespace tidewaiter::testing
