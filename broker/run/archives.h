// What is known of the archives that come into a run and leave it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace tidewaiter::run {

// Bytes of an archive, in order; an error ends the sending with it.
using ArchiveWriter = std::function<Result<void>(std::string_view)>;

// What an archive has come to.
struct ArchiveSummary {
  std::uint64_t entries = 0;        // files and folders
  std::uint64_t bytes = 0;          // of the files' content
  std::uint64_t archive_bytes = 0;  // of the archive itself, as it was sent
  std::string sha256;               // of those: "sha256:HEX"
  friend bool operator==(const ArchiveSummary&, const ArchiveSummary&) = default;
};

// What of an output is left behind.
struct Omission {
  std::string path;  // below the output, safe to print
  std::string code;  // of docs/ARCHIVES.md
  friend bool operator==(const Omission&, const Omission&) = default;
};

struct Omissions {
  static constexpr std::size_t kMaxListed = 1000;
  std::vector<Omission> listed;  // the first kMaxListed
  std::uint64_t count = 0;       // all of them

  void Add(Omission omission) {
    ++count;
    if (listed.size() < kMaxListed) listed.push_back(std::move(omission));
  }
  // `first` came before these.
  void Precede(Omissions first) {
    const std::uint64_t all = count + first.count;
    for (Omission& omission : listed) first.Add(std::move(omission));
    *this = std::move(first);
    count = all;
  }
  friend bool operator==(const Omissions&, const Omissions&) = default;
};

}  // namespace tidewaiter::run
