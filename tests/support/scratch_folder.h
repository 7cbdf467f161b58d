// A folder for one test, below a way that only root may write, removed with the object. Short,
// since socket paths go into it (108 bytes, unix(7)).
#pragma once

#include <string>

namespace tidewaiter::testing {

class ScratchFolder {
 public:
  // In $TIDEWAITER_TEST_SCRATCH, else /run. Aborts the test program where it cannot.
  ScratchFolder();
  ~ScratchFolder();
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;

  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] std::string operator/(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

}  // namespace tidewaiter::testing
