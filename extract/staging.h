// A destination that either gets all of an archive or nothing: what comes is kept apart in a folder
// inside of it until it is accepted.
#pragma once

#include <string>

#include "base/result.h"
#include "base/unique_fd.h"

namespace tidewaiter::extract {

class Staging {
 public:
  // `destination` is absent (it is made then, mode 0777 less the umask; its parent must be there)
  // or an empty folder. Errors: FAILED_PRECONDITION (DESTINATION_NOT_EMPTY), errno's.
  static Result<Staging> Open(const std::string& destination);
  Staging(Staging&&) noexcept = default;
  Staging& operator=(Staging&&) = delete;
  // Without Commit, the destination is as before.
  ~Staging();

  // Of the folder to extract into; only its owner reaches it.
  [[nodiscard]] int fd() const noexcept { return folder_.get(); }
  // Moves what is in it to the destination. Replaces nothing that came there meanwhile; where that
  // is in the way, everything is taken back.
  Result<void> Commit();

 private:
  Staging(std::string path, UniqueFd destination, bool made)
      : path_(std::move(path)), destination_(std::move(destination)), made_(made) {}

  std::string path_;
  UniqueFd destination_;
  bool made_;
  UniqueFd folder_;
};

}  // namespace tidewaiter::extract
