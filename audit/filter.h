// Which records someone wants to see: by members of the header, which costs nothing, and by what
// only a parsed line tells, which is done for lines that may match alone.
// Pure; immutable once made. Thread: any.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "audit/record_header.h"
#include "audit/timestamp.h"

namespace tidewaiter::audit {

// All conditions must hold; an empty one always does. A record that lacks a member does not meet a
// condition on it.
struct Filter {
  std::string run_id = {};
  std::string principal = {};
  std::string type = {};                // as "run.denied"
  std::string tenant = {};              // what the record's challenge, job or task is
  std::string image = {};               // as ImageMatches, of requested_image, image or the digests
  std::string outcome = {};             // kind, in either case; or kUnsuccessful
  std::string rule = {};                // that a violation is of, as "image.tag-required"
  std::string shadow_rule = {};         // the same of the policy that is tried
  std::optional<Timestamp> since = {};  // inclusive
  std::optional<Timestamp> until = {};  // exclusive
};

// As Filter::outcome: every end but EXITED with code 0.
inline constexpr std::string_view kUnsuccessful = "unsuccessful";

// Whether `reference` is `wanted`, or something in it: of a name every tag, digest and repository
// below it, of a tag every digest; a digest in `wanted` is one of that name under any tag.
bool ImageMatches(std::string_view wanted, std::string_view reference);

// A filter made ready for many lines.
class Matcher {
 public:
  explicit Matcher(const Filter& filter);
  // `header` is of `line`.
  [[nodiscard]] bool Matches(const RecordHeader& header, std::string_view line) const;

 private:
  [[nodiscard]] bool MembersMatch(std::string_view line) const;

  std::string run_id_;  // in the form in which they stand in a line
  std::string principal_;
  std::string type_;
  std::string since_;
  std::string until_;
  std::string tenant_;  // as a parser gives them
  std::string image_;
  std::string outcome_;
  std::string rule_;
  std::string shadow_rule_;
  // Texts that a line has if it meets the conditions on what is parsed. Empty: there are none.
  std::vector<std::string> needles_;
};

}  // namespace tidewaiter::audit
