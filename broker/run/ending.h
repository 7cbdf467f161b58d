// How the engine's part of a run ended, and what has come of it: all that is recorded, told and
// kept.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "broker/run/backend.h"
#include "broker/run/entry_notes.h"
#include "broker/run/kept_run.h"
#include "broker/run/outcome.h"

namespace tidewaiter::run {

struct Ending {
  Outcome outcome;
  ResolvedImage image;  // empty where it was not resolved
  std::string container_id;
  std::int64_t dropped_output_bytes = 0;
  std::string truncated;  // the first reason of v1.Truncated; empty where all of the output came
  std::vector<KeptOutput> outputs;
  bool container_ended = false;         // it is known to run no more
  std::shared_ptr<EntryNotes> notes{};  // may be on their way to the disk
};

// Whether an output is missing that might have come.
bool MissesOutputs(const std::vector<KeptOutput>& outputs);

// The outcome of a container that has ended, by itself or not.
Outcome FromExit(const ContainerExit& exit);

}  // namespace tidewaiter::run
