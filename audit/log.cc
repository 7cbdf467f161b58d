#include "audit/log.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <utility>

#include "audit/line_reader.h"
#include "audit/record_header.h"

namespace tidewaiter::audit {
namespace {

Error Unavailable(std::string message) {
  return Fail(ErrorCode::kUnavailable, std::move(message), "AUDIT_UNAVAILABLE");
}

Error Unavailable(const EncodedRecord& record, const std::string& cause) {
  return Unavailable("write audit record '" + std::string(ToString(record.type())) + "': " + cause);
}

Result<UniqueFd> OpenDirectory(const std::string& path) {
  if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) {
    return ErrnoError(errno, "create audit directory '" + path + "'");
  }
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
  if (!fd) return ErrnoError(errno, "open audit directory '" + path + "'");
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0) {
    return ErrnoError(errno, "examine audit directory '" + path + "'");
  }
  const bool own = status.st_uid == ::geteuid() || status.st_uid == 0;
  if (!own || (status.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
    return Fail(ErrorCode::kFailedPrecondition,
                "open audit directory '" + path + "': others can write in it", "AUDIT_UNAVAILABLE");
  }
  return fd;
}

// The kernel's random id of this boot; empty where /proc is not mounted.
std::string ReadBootId() {
  std::ifstream file("/proc/sys/kernel/random/boot_id");
  std::string id;
  std::getline(file, id);
  return id;
}

// Two files that begin with the same record are one file.
std::string MarkOf(const RecordHeader& header) {
  return std::string(header.index_text) + '@' + std::string(header.time);
}

// One that has no record yet is known by its inode.
std::string EmptyMarkOf(int fd) {
  struct stat status {};
  if (::fstat(fd, &status) != 0) return {};
  return std::string(Log::kEmptyMark) + std::to_string(status.st_ino);
}

}  // namespace

// Where the file cannot be read, it has no mark, and Recall is unsure of its runs.
std::string Log::ReadMark(const LogFile& file) {
  LineReader lines(file.fd(), 0, file.size());
  const auto line = lines.Next();
  if (!line) return {};
  if (!*line) return EmptyMarkOf(file.fd());
  const auto header = ReadHeader(**line);
  return header ? MarkOf(*header) : std::string();
}

Log::Log(LogSettings settings, FileOperations& operations, UniqueFd directory, std::string boot_id)
    : settings_(std::move(settings)),
      operations_(operations),
      directory_(std::move(directory)),
      boot_id_(std::move(boot_id)) {}

Result<std::unique_ptr<Log>> Log::Open(LogSettings settings, FileOperations& operations) {
  TW_ASSIGN(UniqueFd directory, OpenDirectory(settings.directory));
  std::unique_ptr<Log> log(
      new Log(std::move(settings), operations, std::move(directory), ReadBootId()));
  TW_TRY(log->OpenFile());
  log->writer_ = std::jthread([writer = log.get()] { writer->Write(); });
  return log;
}

Log::~Log() {
  state_.Lock()->stopping = true;
  work_.notify_all();
}

Log::EntryPtr Log::MakeEntry(const Record& record) const {
  return std::make_shared<Entry>(EncodedRecord(record, boot_id_, settings_.broker_id));
}

Result<std::uint64_t> Log::Append(const Record& record, Deadline deadline) {
  const EntryPtr entry = MakeEntry(record);
  entry->waited_for = true;
  {
    auto state = state_.Lock();
    if (state->waiting >= settings_.max_waiting) {
      ++state->untold.refused;
      return Unavailable(entry->record, "too many records wait for the disk");
    }
    entry->record.SetTime(Now());
    state->queue.push_back(entry);
    ++state->waiting;
  }
  work_.notify_all();
  if (auto result = entry->done.Wait({}, deadline)) return *result;
  auto state = state_.Lock();
  // It may have been settled between the deadline and the lock.
  if (auto result = entry->done.Peek()) return *result;
  return GiveUp(*state, entry);
}

Error Log::GiveUp(State& state, const EntryPtr& entry) {
  if (!entry->in_flight) {
    std::erase(state.queue, entry);
    --state.waiting;
    ++state.untold.refused;
  }
  Error error = Unavailable(entry->record, "the disk did not answer in time");
  if (entry->in_flight) error.code = ErrorCode::kDeadlineExceeded;
  return error;
}

void Log::AppendEventually(const Record& record, std::function<void()> on_durable) {
  EntryPtr entry = MakeEntry(record);
  entry->on_durable = std::move(on_durable);
  {
    auto state = state_.Lock();
    const std::size_t share = entry->record.type() == RecordType::kRunFinished ? 2 : 1;
    const bool fits =
        state->eventual < share * settings_.max_eventual &&
        state->eventual_bytes + entry->record.size() <= share * settings_.max_eventual_bytes;
    if (!fits) {
      ++state->untold.lost;
      return;
    }
    entry->record.SetTime(Now());
    PushEventual(*state, std::move(entry));
  }
  work_.notify_all();
}

void Log::PushEventual(State& state, EntryPtr entry) {
  ++state.eventual;
  state.eventual_bytes += entry->record.size();
  state.queue.push_back(std::move(entry));
}

Result<void> Log::Drain(Deadline deadline) {
  auto state = state_.Lock();
  const auto idle = [&state] {
    return state->queue.empty() && state->in_flight.empty() && !state->untold.Any();
  };
  if (state.Wait(settled_, {}, deadline, idle)) return Ok();
  std::string message = "drain audit log: " + std::to_string(state->eventual + state->waiting) +
                        " records are not on disk";
  if (state->failure) message += ": " + state->failure->message;
  return Fail(ErrorCode::kDeadlineExceeded, std::move(message), "AUDIT_UNAVAILABLE");
}

std::optional<Error> Log::Failure() {
  return state_.Lock()->failure;
}

Result<DurableView> Log::View() {
  auto state = state_.Lock();
  if (state->fd < 0) return Unavailable("read audit log: it is being opened anew");
  // Through /proc for an open file of its own: a duplicate would share, and outlive, the lock.
  const std::string path = "/proc/self/fd/" + std::to_string(state->fd);
  DurableView view{.fd = UniqueFd(::open(path.c_str(), O_RDONLY | O_CLOEXEC)),
                   .generation = state->generation,
                   .size = state->size,
                   .next_index = state->next_index};
  if (!view.fd) return ErrnoError(errno, "open audit log for reading");
  return view;
}

std::string Log::Mark() {
  return state_.Lock()->mark;
}

Result<std::map<std::string, Log::Standing>> Log::Recall(
    const std::map<std::string, std::string>& runs) {
  std::map<std::string, Standing> standings;
  for (const auto& [run, mark] : runs) standings[run];
  const auto note = [&standings](std::string_view run, std::string_view type) {
    const auto found = standings.find(std::string(run));
    if (found == standings.end()) return;
    if (type == ToString(RecordType::kRunAdmitted)) found->second.admitted = true;
    if (type == ToString(RecordType::kRunFinished)) found->second.finished = true;
    if (type == ToString(RecordType::kRunExpired)) found->second.expired = true;
  };
  {
    // Before the file is looked at: what leaves the queue meanwhile is found there.
    auto state = state_.Lock();
    if (state->torn) return Unavailable("recall runs: a failed write has not been taken back yet");
    for (const EntryPtr& entry : state->in_flight) {
      if (entry->waited_for) standings.erase(entry->record.run_id());
    }
    for (const Batch& entries :
         {state->in_flight, Batch(state->queue.begin(), state->queue.end())}) {
      for (const EntryPtr& entry : entries) {
        if (!entry->waited_for) note(entry->record.run_id(), ToString(entry->record.type()));
      }
    }
  }
  TW_ASSIGN(const DurableView view, View());
  LineReader lines(view.fd.get(), 0, view.size);
  std::string mark;
  while (true) {
    TW_ASSIGN(const std::optional<std::string_view> line, lines.Next());
    if (!line) break;
    const auto header = ReadHeader(*line);
    if (!header) continue;
    if (mark.empty()) mark = MarkOf(*header);
    note(header->run_id, header->type);
  }
  const std::string when_empty = EmptyMarkOf(view.fd.get());
  for (auto& [run, standing] : standings) {
    const std::string& known = runs.at(run);
    const bool same = !known.empty() && (known == mark || known == when_empty);
    standing.unsure = !standing.admitted && !standing.finished && !standing.expired && !same;
  }
  return standings;
}

bool Log::WaitBeyond(std::uint64_t next_index, std::uint64_t generation,
                     const std::stop_token& stop, Deadline deadline) {
  auto state = state_.Lock();
  return state.Wait(settled_, stop, deadline, [&] {
    return state->fd >= 0 && (state->next_index > next_index || state->generation != generation);
  });
}

}  // namespace tidewaiter::audit
