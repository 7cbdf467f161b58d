// Which OCSF event each type of record becomes, as data. docs/OCSF.md shows the same table.
// Thread: any.
#pragma once

#include <string_view>

namespace tidewaiter::audit {

inline constexpr int kOcsfBase = 0;
inline constexpr int kOcsfProcess = 1007;
inline constexpr int kOcsfEventLog = 1008;
inline constexpr int kOcsfLifecycle = 6002;
inline constexpr int kOcsfApi = 6003;
inline constexpr int kOcsfFileHosting = 6006;
inline constexpr int kOcsfError = 6008;

struct OcsfClass {
  std::string_view type;  // of the record
  int class_uid;
  std::string_view class_name;
  std::string_view category_name;
  int activity_id;
  std::string_view activity_name;
  int severity_id;             // 1 informational, 2 low, 3 medium, 4 high
  bool success;                // where the record does not say otherwise
  std::string_view operation;  // of an API activity
};

// A Base Event for a type that is not known.
const OcsfClass& OcsfClassOf(std::string_view type) noexcept;

}  // namespace tidewaiter::audit
