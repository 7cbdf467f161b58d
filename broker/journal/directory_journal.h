// The journal as folders: STATE_DIR/runs/RUN_ID/run.pb, one folder for each run that is not
// finished, and STATE_DIR/kept/RUN_ID/ with a result.pb beside it for each detached run that is
// kept. What Load cannot believe moves to STATE_DIR/set-aside/, with a file that says why.
//
// A run's way costs three fsyncs to open (file, folder, `runs`), two for each update, none to
// close: a folder that comes back after a power failure is of a run whose terminal record is in the
// audit log, and the next start finds that out. A crash amid Open or Close leaves a folder that is
// empty or whose run.pb is empty; at both moments the run has nothing on the engine, so Load
// removes it.
//
// What is kept goes in this order: result.pb becomes removed.pb, durably; log and archives go;
// removed.pb is emptied; once all that is on record, run.pb goes, then removed.pb, then the folder.
// So whoever finds run.pb beside removed.pb has a removal to finish and to record, and whoever
// finds removed.pb alone has neither.
//
// Thread: any; calls for one run one at a time.
#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "base/unique_fd.h"
#include "broker/run/kept_run.h"
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
  // of the run's user, which are taken back for that; and what is the broker's own), then the
  // entry. A folder that holds anything else is left as it is, with the entry.
  run::Removal Close(const RunId& run_id, Deadline deadline) override;
  // RESOURCE_EXHAUSTED, INTERNAL where the folders cannot be read now: nothing is believed then.
  Result<Found> Load() override;
  Result<void> Conclude(const run::KeptRun& run) override;
  Result<run::KeptRun> Keep(const run::KeptRun& run, Deadline deadline) override;
  Result<FoundKept> LoadKept() override;
  // Where the folder holds anything else, it is marked and otherwise left as it is.
  run::Removal RemoveKept(const RunId& run_id, Deadline deadline) override;
  run::Removal ForgetKept(const RunId& run_id, Deadline deadline) override;

  // How many directories lie in `set-aside`, which only a person empties.
  [[nodiscard]] Result<std::size_t> CountSetAside() const;

 private:
  DirectoryJournal(BrokerId broker_id, UniqueFd runs, UniqueFd kept, UniqueFd set_aside);

  // `parent`: runs_ or kept_.
  Result<Found::Unfinished> ReadUnfinished(const std::string& name) const;
  Result<void> Remove(int parent, const std::string& run_id, Deadline deadline);
  Result<void> RemoveWhatIsKept(const std::string& run_id, Deadline deadline);
  Result<run::JournalEntry> Read(int parent, const std::string& name) const;
  Result<run::KeptRun> ReadKept(int parent, const std::string& name, const char* result_name) const;
  Result<void> LoadOneKept(const std::string& name, FoundKept& found) const;
  [[nodiscard]] bool RemoveUnfinished(const std::string& name) const;
  [[nodiscard]] Found::SetAside SetAside(int parent, const std::string& name,
                                         const std::string& cause) const;

  const BrokerId broker_id_;
  const UniqueFd runs_;
  const UniqueFd kept_;
  const UniqueFd set_aside_;
};

}  // namespace tidewaiter::journal
