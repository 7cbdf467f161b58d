// A log's statistics and its verification as one HTML page that needs nothing else: no script, no
// font, no picture from anywhere; drawn with styles and SVG of its own. Pure. Thread: any.
#pragma once

#include <optional>
#include <string>

#include "audit/statistics.h"
#include "audit/timestamp.h"
#include "audit/verdict.h"

namespace tidewaiter::cli {

struct ReportInput {
  const audit::Statistics& sums;
  std::string folder;
  // What the verification found; nothing where it could not be done, for `not_verified`.
  std::optional<audit::Verdict> verdict = {};
  std::string not_verified = {};
  std::string key = {};
  bool key_from_folder = false;  // nobody vouches for it
  // What was asked for; nothing: all there is.
  std::optional<audit::Timestamp> since = {};
  std::optional<audit::Timestamp> until = {};
  audit::Timestamp made = {};
};

// The page. Every text of a record in it went through HtmlText.
std::string ReportPage(const ReportInput& input);

}  // namespace tidewaiter::cli
