// Port: the archives that a client sends for the inputs of its run, piece by piece, in the order in
// which they come.
#pragma once

#include <string>

#include "base/result.h"
#include "base/shared_bytes.h"
#include "broker/run/backend.h"

namespace tidewaiter::run {

struct UploadPiece {
  std::string name;  // of the input
  SharedBytes data;  // of its archive
  bool last = false;
};

class UploadSource {
 public:
  virtual ~UploadSource() = default;
  // Blocks until a piece is there. What is not taken holds the client up. Errors: Patience's;
  // FAILED_PRECONDITION (INPUT_MISSING) where the client has said that nothing more will come.
  virtual Result<UploadPiece> Next(const Patience& patience) = 0;
};

}  // namespace tidewaiter::run
