// A log of a test's own: its key, and where its first segment is.
#pragma once

#include <cstdlib>
#include <memory>
#include <string>

#include "audit/log_store.h"
#include "audit/segment_name.h"

namespace tidewaiter::testing {

inline std::shared_ptr<const audit::SigningKey> NewAuditKey() {
  auto made = audit::SigningKey::Generate("tidewaiter/test");
  if (!made) std::abort();
  return std::make_shared<const audit::SigningKey>(*std::move(made));
}

// One key for the whole process.
inline std::shared_ptr<const audit::SigningKey> AuditKey() {
  static const auto key = NewAuditKey();
  return key;
}

inline audit::StoreSettings AuditStore() {
  audit::StoreSettings settings;
  settings.key = AuditKey();
  settings.reserve_bytes = std::uint64_t{64} << 10U;  // tests may have their folders in memory
  return settings;
}

inline std::string FirstSegment() {
  return audit::SegmentFileName(0, audit::kLinesSuffix);
}

}  // namespace tidewaiter::testing
