// `tidewaiter extract` end to end, in a folder of its own with something beside the destination
// that must not change.
#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/support/scratch_folder.h"

namespace tidewaiter::testing {

// Below `folder`: each path with its kind, mode and content, links not followed.
std::map<std::string, std::string> TreeOf(const std::string& folder);

// `bytes` compressed by libarchive's filter of that name ("gzip", "xz", ...), with its options
// (archive_write_set_options(3)).
std::string Compressed(const std::string& bytes, const std::string& filter,
                       const std::string& options = "");

class Extraction {
 public:
  struct End {
    int status = -1;
    nlohmann::json said;  // with --json
    std::string err;
    [[nodiscard]] std::string code() const { return said.value("code", "accepted"); }
  };

  // In a folder of its own, or in `root`, which must be there.
  explicit Extraction(const std::string& root = "");

  // With --json, and `flags` before the arguments.
  End Run(const std::string& archive, const std::vector<std::string>& flags = {}) const;

  // Runs it with the destination absent, then with an empty one: the code of the refusal, which
  // must be the same. Fails the test where anything is left, or anything else was changed.
  std::string Refusal(const std::string& archive, const std::vector<std::string>& flags = {}) const;

  // The folder to extract into; absent at first.
  [[nodiscard]] std::string destination() const { return root_ + "/dest"; }
  // A folder beside it, with the file "precious".
  [[nodiscard]] std::string outside() const { return root_ + "/outside"; }
  [[nodiscard]] std::map<std::string, std::string> Extracted() const {
    return TreeOf(destination());
  }

 private:
  ScratchFolder scratch_;
  const std::string root_;
};

}  // namespace tidewaiter::testing
