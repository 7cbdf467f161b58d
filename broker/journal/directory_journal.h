// The journal as folders: STATE_DIR/runs/RUN_ID/run.pb, one folder for each run that is not
// finished. What Load cannot believe moves to STATE_DIR/set-aside/, with a file that says why.
//
// A run's way costs three fsyncs to open (file, folder, `runs`), two for each update, none to
// close: a folder that comes back after a power failure is of a run whose terminal record is in the
// audit log, and the next start finds that out. A crash amid Open or Close leaves a folder that is
// empty or whose run.pb is empty; at both moments the run has nothing on the engine, so Load
// removes it.
//
// Thread: any; calls for one run one at a time.
#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "base/unique_fd.h"
#include "broker/run/run_journal.h"

namespace tidewaiter::journal {

class DirectoryJournal final : public run::RunJournal {
 public:
  // Opens the folders, making those that are missing with mode 0700. FAILED_PRECONDITION where one
  // is a link or others can write it; else errno's.
  static Result<std::unique_ptr<DirectoryJournal>> Open(const std::string& state_dir,
                                                        BrokerId broker_id);

  // INVALID_ARGUMENT where the run's id has not RandomId()'s form or the entry cannot be written
  // (FormatEntry); ALREADY_EXISTS, NOT_FOUND; else errno's. After an error of Open nothing is left
  // where that is possible, and the run has no entry.
  Result<void> Open(const run::JournalEntry& entry) override;
  Result<void> Update(const run::JournalEntry& entry) override;
  // Absent already is success. First the run's files go (run::kInputsFolder, kOutputsFolder: trees
  // of the run's user, which are taken back for that), then the entry. A folder that holds anything
  // else is left as it is, with the entry.
  run::Removal Close(const RunId& run_id, Deadline deadline) override;
  // RESOURCE_EXHAUSTED, INTERNAL where the folders cannot be read now: nothing is believed then.
  Result<Found> Load() override;

  // How many directories lie in `set-aside`, which only a person empties.
  [[nodiscard]] Result<std::size_t> CountSetAside() const;

 private:
  DirectoryJournal(BrokerId broker_id, UniqueFd runs, UniqueFd set_aside);

  Result<void> Remove(const std::string& run_id, Deadline deadline);
  Result<run::JournalEntry> Read(const std::string& name) const;
  [[nodiscard]] bool RemoveUnfinished(const std::string& name) const;
  [[nodiscard]] Found::SetAside SetAside(const std::string& name, const std::string& cause) const;

  const BrokerId broker_id_;
  const UniqueFd runs_;
  const UniqueFd set_aside_;
};

}  // namespace tidewaiter::journal
