// A copy of a log of 30 records, in three segments of ten with a checkpoint behind every fifth,
// that a test tampers with.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "audit/log_store.h"
#include "audit/segment_name.h"
#include "audit/verifier.h"
#include "base/unique_fd.h"
#include "tests/support/audit_store.h"
#include "tests/unit/audit/scratch_folder.h"

namespace tidewaiter::audit {

class TamperedLog {
 public:
  static constexpr std::uint64_t kRecords = 30;
  static constexpr std::uint64_t kOfASegment = 10;
  using MakeLine = std::function<std::string(std::uint64_t index)>;

  static std::string Line(std::uint64_t index) {
    return R"({"index":)" + std::to_string(index) + R"(,"time":"t","type":"record)" +
           std::to_string(index) + "\"}";
  }

  explicit TamperedLog(const MakeLine& line = Line,
                       std::shared_ptr<const SigningKey> key = testing::AuditKey()) {
    StoreSettings settings = testing::AuditStore();
    settings.key = std::move(key);
    settings.segment_age = std::chrono::milliseconds(0);  // due whenever it is asked
    settings.checkpoint_records = 5;
    const UniqueFd directory = Directory();
    auto store = LogStore::Open(directory.get(), settings, FileOperations::System());
    if (!store) std::abort();
    for (std::uint64_t index = 0; index < kRecords; ++index) {
      if (index > 0 && index % kOfASegment == 0 && !store->RotateIfDue()) std::abort();
      if (!store->Append(line(index) + '\n')) std::abort();
      if (index % 5 == 4 && !store->Sign()) std::abort();
    }
  }

  [[nodiscard]] UniqueFd Directory() const {
    return UniqueFd(::open(folder_.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  }
  [[nodiscard]] std::string path() const { return folder_.path(); }
  [[nodiscard]] std::string File(std::uint64_t first, std::string_view suffix) const {
    return folder_.File(SegmentFileName(first, suffix));
  }
  [[nodiscard]] std::string Newest() const { return folder_.File(kCheckpointName); }

  static void Write(const std::string& path, const std::string& bytes) {
    std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
  }
  [[nodiscard]] std::vector<std::string> Lines(std::uint64_t first) const {
    return ReadLines(File(first, kLinesSuffix));
  }
  void SetLines(std::uint64_t first, const std::vector<std::string>& lines) const {
    std::string text;
    for (const std::string& line : lines) text += line + '\n';
    Write(File(first, kLinesSuffix), text);
  }
  void RemoveSegment(std::uint64_t first) const {
    for (const std::string_view suffix : {kLinesSuffix, kHashesSuffix, kCheckpointsSuffix}) {
      std::filesystem::remove(File(first, suffix));
    }
  }
  // The notes of a `.checkpoints` file.
  [[nodiscard]] std::vector<std::string> Notes(std::uint64_t first) const {
    const std::string text = ReadText(File(first, kCheckpointsSuffix));
    std::vector<std::string> notes;
    for (std::size_t at = 0; at < text.size();) {
      // The empty line behind the text, then the one behind the signature.
      const std::size_t end = text.find("\n\n", text.find("\n\n", at) + 2);
      notes.push_back(text.substr(at, end == std::string::npos ? end : end + 1 - at));
      at = end == std::string::npos ? text.size() : end + 2;
    }
    return notes;
  }
  void SetNotes(std::uint64_t first, const std::vector<std::string>& notes) const {
    std::string text;
    for (const std::string& note : notes) text += (text.empty() ? "" : "\n") + note;
    Write(File(first, kCheckpointsSuffix), text);
  }

  [[nodiscard]] Verdict Verify(const std::vector<OutsideCheckpoint>& kept = {}) const {
    auto verdict =
        VerifyLog(Directory(), {.key = testing::AuditKey()->verifier(), .checkpoints = kept});
    if (!verdict) ADD_FAILURE() << verdict.error().message;
    return verdict ? *verdict : Verdict{};
  }
  // "kind record" of each fault.
  [[nodiscard]] std::vector<std::string> Faults(
      const std::vector<OutsideCheckpoint>& kept = {}) const {
    std::vector<std::string> faults;
    for (const Fault& fault : Verify(kept).faults) {
      EXPECT_FALSE(fault.message.empty());
      faults.push_back(std::string(ToString(fault.kind)) + ' ' + std::to_string(fault.record));
    }
    return faults;
  }
  [[nodiscard]] std::string FirstFault(const std::vector<OutsideCheckpoint>& kept = {}) const {
    const std::vector<std::string> faults = Faults(kept);
    return faults.empty() ? "none" : faults.front();
  }

 private:
  ScratchFolder folder_;
};

}  // namespace tidewaiter::audit
