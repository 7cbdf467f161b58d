#include "extract/refusal.h"

namespace tidewaiter::extract {

std::string_view ToString(Code code) noexcept {
  switch (code) {
    case Code::kAbsolute: return "absolute";
    case Code::kDotDot: return "dot-dot";
    case Code::kSymbolicLink: return "symbolic-link";
    case Code::kHardLink: return "hard-link";
    case Code::kDevice: return "device";
    case Code::kFifo: return "fifo";
    case Code::kSocket: return "socket";
    case Code::kUnknownType: return "unknown-type";
    case Code::kSparse: return "sparse";
    case Code::kEmptyName: return "empty-name";
    case Code::kNul: return "nul";
    case Code::kControl: return "control-character";
    case Code::kNotUtf8: return "not-utf8";
    case Code::kComponentTooLong: return "component-too-long";
    case Code::kPathTooLong: return "path-too-long";
    case Code::kTooDeep: return "too-deep";
    case Code::kDuplicate: return "duplicate";
    case Code::kNotAFolder: return "not-a-folder";
    case Code::kIsAFolder: return "is-a-folder";
    case Code::kTooManyEntries: return "too-many-entries";
    case Code::kTooManyBytes: return "too-many-bytes";
    case Code::kRatio: return "compression-ratio";
    case Code::kTruncated: return "truncated";
    case Code::kBadChecksum: return "bad-checksum";
    case Code::kTrailingData: return "trailing-data";
    case Code::kAmbiguous: return "ambiguous";
    case Code::kNoTar: return "not-a-tar";
    case Code::kCorrupt: return "corrupt";
    case Code::kMemory: return "memory";
    case Code::kWrite: return "write-failed";
    case Code::kWorker: return "worker-failed";
    case Code::kUnreadable: return "unreadable";
    case Code::kOtherFileSystem: return "other-file-system";
  }
  return "unknown";
}

}  // namespace tidewaiter::extract
