#include "broker/files/log_spool.h"

#include <unistd.h>

#include <array>
#include <cerrno>
#include <span>
#include <utility>

namespace tidewaiter::files {
namespace {

constexpr std::size_t kHeaderBytes = 8;
// Pieces of one stream that follow each other become one, up to this size.
constexpr std::size_t kMaxPiece = std::size_t{64} << 10U;

void PutLength(std::string& bytes, std::size_t header, std::size_t length) {
  for (std::size_t i = 0; i < 4; ++i) {
    bytes[header + 4 + i] = static_cast<char>((length >> (24 - 8 * i)) & 0xffU);
  }
}

Result<void> WriteAll(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return ErrnoError(errno, "write the log of a run");
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return Ok();
}

}  // namespace

// Shared by its Log and the spool's thread.
class LogSpool::File {
 public:
  File(UniqueFd fd, std::uint64_t max_size, std::function<void(std::uint64_t)> on_growth,
       std::uint64_t size)
      : fd_(std::move(fd)), max_size_(max_size), size_(size), on_growth_(std::move(on_growth)) {
    state_.Lock()->size = size;
  }

  // Whether there is room for more; `wake`: whether the thread has to be told.
  bool Add(run::OutputStream stream, std::span<const std::byte> data, bool& wake) {
    auto state = state_.Lock();
    wake = false;
    if (data.empty()) return true;
    if (!state->error && state->size + data.size() + kHeaderBytes > max_size_) {
      state->error = Fail(ErrorCode::kResourceExhausted,
                          "write the log of a run: too many pieces for its limit", "LOG_LIMIT");
    }
    if (state->error) {
      state->dropped += static_cast<std::int64_t>(data.size());
      return true;
    }
    wake = !std::exchange(state->queued, true);
    const char type = stream == run::OutputStream::kStdout ? 1 : 2;
    const std::string_view bytes(reinterpret_cast<const char*>(data.data()), data.size());
    const bool joins = !state->waiting.empty() && state->last_type == type &&
                       state->last_length + data.size() <= kMaxPiece;
    if (!joins) {
      state->last_header = state->waiting.size();
      state->last_length = 0;
      state->last_type = type;
      const std::array<char, kHeaderBytes> header{type};
      state->waiting.append(header.data(), header.size());
      state->size += kHeaderBytes;
    }
    state->last_length += data.size();
    state->size += data.size();
    state->waiting_output += data.size();
    state->waiting += bytes;
    PutLength(state->waiting, state->last_header, state->last_length);
    state->paused = state->waiting.size() >= kMaxWaiting;
    return !state->paused;
  }

  void SetResume(std::function<void()> resume) {
    const std::lock_guard lock(resume_mutex_);
    resume_ = std::move(resume);
  }

  Result<void> Flush(Deadline deadline) {
    auto state = state_.Lock();
    const bool done = state.Wait(changed_, {}, deadline, [&] {
      return state->failed || (state->waiting.empty() && !state->writing);
    });
    if (state->error) return *state->error;
    if (!done) {
      return Fail(ErrorCode::kDeadlineExceeded, "write the log of a run: the disk is too slow");
    }
    return Ok();
  }

  // Nobody is told of anything any more.
  void Abandon() {
    SetResume({});
    const std::lock_guard lock(resume_mutex_);
    on_growth_ = {};
  }

  std::int64_t dropped() { return state_.Lock()->dropped; }

  // The spool's thread. Whether more has come meanwhile: the file is to be queued again.
  bool WriteOut() {
    std::string bytes;
    std::size_t output = 0;
    {
      auto state = state_.Lock();
      bytes = std::exchange(state->waiting, {});
      output = std::exchange(state->waiting_output, 0);
      state->writing = true;
    }
    auto written = WriteAll(fd_.get(), bytes);
    bool resume = false;
    bool more = false;
    {
      auto state = state_.Lock();
      state->writing = false;
      if (written) {
        size_ += bytes.size();
      } else {
        state->failed = true;
        state->error = std::move(written).error();
        state->dropped += static_cast<std::int64_t>(output + state->waiting_output);
        state->waiting.clear();
        state->waiting_output = 0;
      }
      resume = std::exchange(state->paused, false);
      more = !state->waiting.empty();
      state->queued = more;
    }
    changed_.notify_all();
    const std::lock_guard lock(resume_mutex_);
    if (written && on_growth_) on_growth_(size_);
    if (resume && resume_) resume_();
    return more;
  }

 private:
  struct State {
    std::string waiting;             // in the file's form
    std::size_t waiting_output = 0;  // without headers
    std::size_t last_header = 0;     // in `waiting`: of the last piece
    std::size_t last_length = 0;
    char last_type = 0;
    std::uint64_t size = 0;    // of the file, with what is waiting
    std::int64_t dropped = 0;  // bytes
    bool queued = false;       // with the spool's thread
    bool writing = false;
    bool paused = false;  // Add returned false
    bool failed = false;  // to write
    std::optional<Error> error;
  };

  const UniqueFd fd_;
  const std::uint64_t max_size_;
  std::uint64_t size_;  // of what is written; the spool's thread only
  Guarded<State> state_;
  std::condition_variable_any changed_;
  std::mutex resume_mutex_;  // held while either of them runs
  std::function<void()> resume_;
  std::function<void(std::uint64_t)> on_growth_;
};

class LogSpool::Log final : public run::RunLog {
 public:
  Log(LogSpool& spool, std::shared_ptr<File> file) : spool_(spool), file_(std::move(file)) {}
  ~Log() override { file_->Abandon(); }
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;

  bool Write(run::OutputStream stream, std::span<const std::byte> data) override {
    bool wake = false;
    const bool room = file_->Add(stream, data, wake);
    if (wake) {
      spool_.due_.Lock()->push_back(file_);
      spool_.changed_.notify_one();
    }
    return room;
  }
  void SetResume(std::function<void()> resume) override { file_->SetResume(std::move(resume)); }
  Result<void> Flush(Deadline deadline) override { return file_->Flush(deadline); }
  [[nodiscard]] std::int64_t dropped() override { return file_->dropped(); }

 private:
  LogSpool& spool_;
  const std::shared_ptr<File> file_;
};

LogSpool::LogSpool() : thread_([this](const std::stop_token& stop) { Loop(stop); }) {}

LogSpool::~LogSpool() = default;

std::unique_ptr<run::RunLog> LogSpool::Open(UniqueFd file, std::uint64_t max_bytes,
                                            std::function<void(std::uint64_t)> on_growth,
                                            std::uint64_t size) {
  return std::make_unique<Log>(
      *this,
      std::make_shared<File>(std::move(file), MaxFileBytes(max_bytes), std::move(on_growth), size));
}

void LogSpool::Loop(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    std::shared_ptr<File> file;
    {
      auto due = due_.Lock();
      if (!due.Wait(changed_, stop, Deadline::Never(), [&] { return !due->empty(); })) return;
      file = std::move(due->front());
      due->pop_front();
    }
    // In turn with the others.
    if (file->WriteOut()) due_.Lock()->push_back(std::move(file));
  }
}

}  // namespace tidewaiter::files
