// Any tree of entries, written by TarSink and read by the strict reader: the same comes out.
#include <clocale>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <set>
#include <string>
#include <string_view>

#include "base/unique_fd.h"
#include "extract/entry_path.h"
#include "extract/modes.h"
#include "extract/plain_reader.h"
#include "extract/tar_sink.h"
#include "tests/unit/extract/recording_sink.h"

namespace {

using namespace tidewaiter::extract;

void Must(bool held) {
  if (!held) std::abort();
}

// Takes what it was made of from the bytes: zeros at their end.
class Bytes {
 public:
  Bytes(const std::uint8_t* data, std::size_t size) : data_(data), size_(size) {}
  [[nodiscard]] bool empty() const { return size_ == 0; }
  std::uint32_t Number() {
    if (size_ == 0) return 0;
    --size_;
    return *data_++;
  }
  std::string Text(std::size_t size) {
    std::string text;
    while (text.size() < size && !empty()) text += static_cast<char>(Number());
    return text;
  }

 private:
  const std::uint8_t* data_;
  std::size_t size_;
};

// Tells a sink and remembers what it told.
class Teller {
 public:
  Teller(Sink& sink, RecordingSink& told) : sink_(sink), told_(told) {}

  void Folder(const std::string& path, std::uint32_t mode) {
    if (!AddParents(path) || !known_.insert(path).second) return;
    Must(sink_.AddFolder(path, mode) && told_.AddFolder(path, mode));
  }
  void File(const std::string& path, std::uint32_t mode, const std::string& content) {
    if (!AddParents(path) || !known_.insert(path).second) return;
    for (Sink* const sink : {&sink_, static_cast<Sink*>(&told_)}) {
      Must(sink->BeginFile(path, mode, content.size()) && sink->Write(content).has_value() &&
           sink->EndFile());
    }
  }

 private:
  // False: what should be a folder is a file.
  bool AddParents(const std::string& path) {
    const std::size_t slash = path.rfind('/');
    if (slash == std::string::npos) return true;
    const std::string parent = path.substr(0, slash);
    if (told_.files.contains(parent)) return false;
    Folder(parent, 0755);
    return known_.contains(parent);
  }

  Sink& sink_;
  RecordingSink& told_;
  std::set<std::string> known_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  // libarchive takes names of PAX headers into the locale's character set, as in the worker.
  static const bool utf8 = std::setlocale(LC_CTYPE, "C.UTF-8") != nullptr;
  Must(utf8);
  Bytes bytes(data, size);
  const Limits limits;
  std::string archive;
  TarSink sink({.uid = bytes.Number() << 16U, .gid = bytes.Number()},
               [&](std::string_view piece) -> Expected<void> {
                 Must(!piece.empty() && piece.size() <= TarSink::kPieceBytes);
                 archive += piece;
                 return {};
               });
  RecordingSink told;
  Teller teller(sink, told);
  while (!bytes.empty()) {
    const bool is_folder = bytes.Number() % 2 == 0;
    const std::uint32_t mode = bytes.Number() << 4U;
    std::string name = bytes.Text(bytes.Number());
    // Long names are rare among random ones.
    const std::uint32_t repeated = bytes.Number() % 8;
    for (std::uint32_t i = 0; i < repeated && !name.empty(); ++i) name += name.substr(0, 128);
    const auto path = ToEntryPath(name, is_folder, limits);
    if (!path || path->empty()) continue;
    if (is_folder) {
      teller.Folder(*path, FolderMode(mode));
    } else {
      teller.File(*path, FileMode(mode), bytes.Text(bytes.Number() * bytes.Number()));
    }
  }
  Must(sink.Finish().has_value());
  Must(archive.size() % 512 == 0);
  RecordingSink read;
  Must(ExtractBytes(archive, read).has_value());
  Must(read.files == told.files && read.folders == told.folders && read.modes == told.modes);
  // As it is read in a pod.
  RecordingSink plain;
  const tidewaiter::UniqueFd file = MemoryFile(archive);
  PlainReader reader(file.get(), limits);
  Must(Extract(reader, limits, plain).has_value());
  Must(plain.files == told.files && plain.folders == told.folders && plain.modes == told.modes);
  return 0;
}
