// A whole log under a key, with one of its files edited at will: it verifies only where every
// record is the one that was signed, and what is read of it then is those records. The first byte
// names the file, two say where, one how much is taken out; the rest is put in. The last of the
// files is the first segment compressed, which is there in place of its lines then.
#include <fcntl.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

#include "audit/log_store.h"
#include "audit/record_reader.h"
#include "audit/segment_name.h"
#include "audit/segment_packer.h"
#include "audit/verifier.h"
#include "base/unique_fd.h"

namespace {

using namespace tidewaiter;

void Require(bool holds) {
  if (!holds) std::abort();
}

std::string Read(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

void Write(const std::string& path, const std::string& text) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << text;
}

// Twelve records in segments of four, each covered.
class Log {
 public:
  Log() {
    std::string pattern = "/dev/shm/tw-fuzz-XXXXXX";
    Require(::mkdtemp(pattern.data()) != nullptr);
    folder_ = pattern;
    key_ = std::make_shared<const audit::SigningKey>(*audit::SigningKey::Generate("fuzz"));
    const UniqueFd directory = Open();
    auto store = audit::LogStore::Open(
        directory.get(),
        {.key = key_, .segment_bytes = 170, .reserve_bytes = 0, .checkpoint_records = 2},
        audit::FileOperations::System());
    for (int i = 0; i < 12; ++i) {
      const std::string line =
          R"({"index":)" + std::to_string(i) + R"(,"time":"t","type":"run.denied"})" + "\n";
      Require(store->Append(line).has_value());
      lines_ += line;
      if (i % 2 == 1) Require(store->Sign().has_value());
      if (i < 11) Require(store->RotateIfDue().has_value());
    }
    const auto segments = audit::ListSegments(directory.get());
    for (const audit::SegmentFiles& each : *segments) {
      for (const std::string_view suffix :
           {audit::kLinesSuffix, audit::kCheckpointsSuffix, audit::kHashesSuffix}) {
        names_.push_back(audit::SegmentFileName(each.first, suffix));
      }
    }
    names_.emplace_back(audit::kCheckpointName);
    for (const std::string& name : names_) contents_.push_back(Read(Path(name)));
    Require(audit::PackSegment(directory.get(), 0, [] { return false; }).has_value());
    names_.push_back(audit::SegmentFileName(0, audit::kPackedSuffix));
    contents_.push_back(Read(Path(names_.back())));
    std::filesystem::remove(Path(names_.back()));
    Write(Path(names_.front()), contents_.front());
  }
  ~Log() { std::filesystem::remove_all(folder_); }
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;

  void Try(const std::uint8_t* data, std::size_t size) const {
    const std::size_t which = data[0] % names_.size();
    const std::string& was = contents_[which];
    const std::size_t at = (data[1] * 256U + data[2]) % (was.size() + 1);
    const std::size_t taken = std::min<std::size_t>(data[3], was.size() - at);
    const std::string put(data + 4, data + size);
    const std::string is = was.substr(0, at) + put + was.substr(at + taken);
    const bool packed = which + 1 == names_.size();
    if (packed) std::filesystem::remove(Path(names_.front()));
    Write(Path(names_[which]), is);
    const auto verdict = audit::VerifyLog(Open(), {.key = key_->verifier()});
    Require(verdict.has_value());
    // What is behind the last record that is covered nobody has signed for.
    if (verdict->Holds()) {
      Require(ReadRecords().starts_with(lines_));
      if (names_[which].ends_with(audit::kLinesSuffix)) {
        Require(names_[which] == names_[kLastLines] ? is.starts_with(was) : is == was);
      }
    }
    if (!packed) {
      Write(Path(names_[which]), was);
      return;
    }
    std::filesystem::remove(Path(names_[which]));
    Write(Path(names_.front()), contents_.front());
  }

 private:
  [[nodiscard]] UniqueFd Open() const {
    return UniqueFd(::open(folder_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  }

  static constexpr std::size_t kLastLines = 6;  // in names_: of the last of three segments

  [[nodiscard]] std::string Path(const std::string& name) const { return folder_ + "/" + name; }
  [[nodiscard]] std::string ReadRecords() const {
    audit::RecordReader reader(Open(), 0, std::nullopt);
    std::string lines;
    while (true) {
      const auto record = reader.Next();
      Require(record.has_value());
      if (!*record) return lines;
      lines.append((*record)->line) += '\n';
    }
  }

  std::string folder_;
  std::string lines_;
  std::shared_ptr<const audit::SigningKey> key_;
  std::vector<std::string> names_;
  std::vector<std::string> contents_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Log log;
  if (size >= 4) log.Try(data, size);
  return 0;
}
