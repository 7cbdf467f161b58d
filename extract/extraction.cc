#include "extract/extraction.h"

#include <fmt/format.h>

#include <string>
#include <string_view>
#include <utility>

#include "base/printable.h"
#include "extract/modes.h"
#include "extract/path_set.h"

namespace tidewaiter::extract {
namespace {

class Extraction {
 public:
  Extraction(EntrySource& source, const Limits& limits, Sink& sink)
      : limits_(limits), reader_(source), sink_(sink) {}

  Expected<Summary> Run(const std::function<void(const Summary&)>& on_progress) {
    while (true) {
      auto next = reader_.Next();
      if (!next) return tl::unexpected(next.error());
      if (!*next) break;
      if (auto taken = Take(**next); !taken) return tl::unexpected(taken.error());
      if (on_progress) on_progress(summary_);
    }
    if (auto finished = sink_.Finish(); !finished) return tl::unexpected(finished.error());
    return summary_;
  }

 private:
  Expected<void> Take(const Entry& entry) {
    if (entry.path.empty()) {
      if (std::exchange(root_, true)) {
        return Refuse(Code::kDuplicate, "the archive's own folder twice", Printable(entry.name));
      }
      return {};
    }
    ++summary_.entries;
    if (auto parents = AddParents(entry); !parents) return parents;
    return entry.is_folder ? TakeFolder(entry) : TakeFile(entry);
  }

  // Everything that is made counts: one entry can need max_depth folders that none lists.
  Expected<void> Remember(const std::string& path, PathKind kind, const Entry& entry) {
    if (paths_.size() >= limits_.max_entries) {
      return Refuse(Code::kTooManyEntries,
                    fmt::format("more than {} files and folders, those not listed included",
                                limits_.max_entries),
                    Printable(entry.name));
    }
    paths_.Add(path, kind);
    return {};
  }

  // The folders on the way that the archive has not listed.
  Expected<void> AddParents(const Entry& entry) {
    const std::string& path = entry.path;
    // What the last entry lay in is there: most archives come folder by folder.
    const std::size_t last = path.rfind('/');
    if (last == std::string::npos || std::string_view(path).substr(0, last) == parent_) return {};
    for (std::size_t end = path.find('/'); end != std::string::npos;
         end = path.find('/', end + 1)) {
      const std::string folder = path.substr(0, end);
      const auto known = paths_.Find(folder);
      if (known == PathKind::kFile) {
        return Refuse(Code::kNotAFolder, "an entry below what is a file", Printable(entry.name));
      }
      if (known) continue;
      if (auto known_now = Remember(folder, PathKind::kImpliedFolder, entry); !known_now) {
        return known_now;
      }
      if (auto added = sink_.AddFolder(folder, kImpliedFolderMode); !added) return added;
    }
    parent_ = path.substr(0, last);
    return {};
  }

  Expected<void> TakeFolder(const Entry& entry) {
    const auto known = paths_.Find(entry.path);
    if (known == PathKind::kFile) {
      return Refuse(Code::kNotAFolder, "a folder where a file is", Printable(entry.name));
    }
    if (known == PathKind::kFolder) {
      return Refuse(Code::kDuplicate, "the same folder twice", Printable(entry.name));
    }
    if (known) {  // listed after what is in it
      paths_.Add(entry.path, PathKind::kFolder);
      return sink_.SetFolderMode(entry.path, FolderMode(entry.mode));
    }
    if (auto known_now = Remember(entry.path, PathKind::kFolder, entry); !known_now) {
      return known_now;
    }
    return sink_.AddFolder(entry.path, FolderMode(entry.mode));
  }

  Expected<void> TakeFile(const Entry& entry) {
    if (const auto known = paths_.Find(entry.path)) {
      if (*known == PathKind::kFile) {
        return Refuse(Code::kDuplicate, "the same file twice", Printable(entry.name));
      }
      return Refuse(Code::kIsAFolder, "a file where a folder is", Printable(entry.name));
    }
    if (entry.size > limits_.max_bytes - summary_.bytes) {
      return Refuse(Code::kTooManyBytes,
                    fmt::format("more than {} bytes of content", limits_.max_bytes),
                    Printable(entry.name));
    }
    summary_.bytes += entry.size;
    if (auto known_now = Remember(entry.path, PathKind::kFile, entry); !known_now) return known_now;
    if (auto begun = sink_.BeginFile(entry.path, FileMode(entry.mode), entry.size); !begun) {
      return begun;
    }
    while (true) {
      const auto piece = reader_.Read();
      if (!piece) return tl::unexpected(piece.error());
      if (piece->empty()) return sink_.EndFile();
      if (auto written = sink_.Write(*piece); !written) return written;
    }
  }

  const Limits limits_;
  EntrySource& reader_;
  Sink& sink_;
  PathSet paths_;
  std::string parent_;
  bool root_ = false;
  Summary summary_;
};

}  // namespace

Expected<Summary> Extract(EntrySource& source, const Limits& limits, Sink& sink,
                          const std::function<void(const Summary&)>& on_progress) {
  return Extraction(source, limits, sink).Run(on_progress);
}

}  // namespace tidewaiter::extract
