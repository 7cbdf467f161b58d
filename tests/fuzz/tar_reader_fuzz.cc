// Any bytes as an archive, plain or compressed. Whatever is accepted stays within its limits,
// brings each path once and a folder before what is in it.
#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <set>
#include <string>

#include "base/unique_fd.h"
#include "extract/extraction.h"
#include "extract/sink.h"
#include "extract/tar_reader.h"

namespace {

using namespace tidewaiter::extract;

class StrictSink final : public Sink {
 public:
  Expected<void> AddFolder(const std::string& path, std::uint32_t mode) override {
    Place(path, mode);
    folders_.insert(path);
    return {};
  }
  Expected<void> SetFolderMode(const std::string& path, std::uint32_t mode) override {
    if ((mode & ~0755U) != 0 || (mode & 0500U) != 0500U || !folders_.contains(path)) std::abort();
    return {};
  }
  Expected<void> BeginFile(const std::string& path, std::uint32_t mode,
                           std::uint64_t size) override {
    Place(path, mode);
    left_ = size;
    return {};
  }
  Expected<void> Write(std::string_view piece) override {
    if (piece.size() > left_) std::abort();
    left_ -= piece.size();
    return {};
  }
  Expected<void> EndFile() override {
    if (left_ != 0) std::abort();
    return {};
  }
  Expected<void> Finish() override { return {}; }

 private:
  void Place(const std::string& path, std::uint32_t mode) {
    if ((mode & ~0755U) != 0 || (mode & 0400U) == 0) std::abort();
    if (!paths_.insert(path).second) std::abort();
    const std::size_t slash = path.rfind('/');
    if (slash != std::string::npos && !folders_.contains(path.substr(0, slash))) std::abort();
  }

  std::set<std::string> paths_;
  std::set<std::string> folders_;
  std::uint64_t left_ = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const tidewaiter::UniqueFd file(::memfd_create("archive", MFD_CLOEXEC));
  if (::ftruncate(file.get(), 0) != 0 || ::lseek(file.get(), 0, SEEK_SET) != 0) std::abort();
  if (::write(file.get(), data, size) != static_cast<ssize_t>(size)) std::abort();
  ::lseek(file.get(), 0, SEEK_SET);
  const Limits limits{.max_bytes = 1 << 20, .max_entries = 100};
  StrictSink sink;
  tidewaiter::extract::TarReader reader(file.get(), limits);
  const auto end = Extract(reader, limits, sink);
  if (end && (end->bytes > limits.max_bytes || end->entries > limits.max_entries)) std::abort();
  if (!end && end.error().message.empty()) std::abort();
  return 0;
}
