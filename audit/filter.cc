#include "audit/filter.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "audit/canonical_json.h"
#include "audit/record_members.h"

namespace tidewaiter::audit {
namespace {

std::string InLine(std::string_view text) {
  if (text.empty()) return {};
  const std::string quoted = JsonString(text);
  return quoted.substr(1, quoted.size() - 2);
}

// As a parser gives it back: what the record's writer changes in a text is changed here, too.
std::string InRecord(std::string_view text) {
  return nlohmann::json::parse(JsonString(text)).get<std::string>();
}

bool Holds(const std::string& wanted, std::string_view found) {
  return wanted.empty() || wanted == found;
}

std::string UpperCase(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(), [](char c) {
    return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  });
  return out;
}

bool TenantMatches(const std::string& wanted, const nlohmann::json& members) {
  const nlohmann::json& tenant = MemberOf(members, "tenant");
  constexpr std::array<std::string_view, 3> kNames = {"challenge", "job", "task"};
  return std::any_of(kNames.begin(), kNames.end(),
                     [&](std::string_view name) { return TextOf(tenant, name) == wanted; });
}

bool AnyImageMatches(const std::string& wanted, const nlohmann::json& members) {
  return ImageMatches(wanted, TextOf(members, "requested_image")) ||
         ImageMatches(wanted, TextOf(members, "image")) ||
         TextOf(members, "resolved_digest") == wanted || TextOf(members, "image_id") == wanted;
}

bool OutcomeMatches(const std::string& wanted, const nlohmann::json& members) {
  const nlohmann::json& outcome = MemberOf(members, "outcome");
  const std::string_view kind = TextOf(outcome, "kind");
  if (wanted != kUnsuccessful) return kind == wanted;
  return !kind.empty() && (kind != "EXITED" || IntegerOf(outcome, "exit_code") != 0);
}

bool RuleMatches(const std::string& wanted, const nlohmann::json& decision) {
  const nlohmann::json& violations = MemberOf(decision, "violations");
  return violations.is_array() &&
         std::any_of(violations.begin(), violations.end(), [&](const nlohmann::json& violation) {
           return TextOf(violation, "rule") == wanted;
         });
}

}  // namespace

bool ImageMatches(std::string_view wanted, std::string_view reference) {
  if (reference.empty()) return false;
  const std::size_t digest = wanted.find('@');
  if (digest != std::string_view::npos || wanted.starts_with("sha256:")) {
    const std::string_view name = wanted.substr(0, digest == std::string_view::npos ? 0 : digest);
    const std::string_view hash =
        digest == std::string_view::npos ? wanted : wanted.substr(digest + 1);
    const std::size_t at = reference.rfind('@');
    if (at == std::string_view::npos || reference.substr(at + 1) != hash) return false;
    return name.empty() || ImageMatches(name, reference.substr(0, at));
  }
  if (!reference.starts_with(wanted)) return false;
  if (reference.size() == wanted.size() || wanted.ends_with('/')) return true;
  const char next = reference[wanted.size()];
  return next == '/' || next == ':' || next == '@';
}

Matcher::Matcher(const Filter& filter)
    : run_id_(InLine(filter.run_id)),
      principal_(InLine(filter.principal)),
      type_(InLine(filter.type)),
      tenant_(InRecord(filter.tenant)),
      image_(InRecord(filter.image)),
      outcome_(filter.outcome == kUnsuccessful ? filter.outcome : UpperCase(filter.outcome)),
      rule_(InRecord(filter.rule)),
      shadow_rule_(InRecord(filter.shadow_rule)) {
  if (filter.since) since_ = FormatTimestamp(*filter.since);
  if (filter.until) until_ = FormatTimestamp(*filter.until);
  // The log's lines are canonical, so a text stands in them in one form only.
  if (!filter.tenant.empty()) needles_.push_back(JsonString(filter.tenant));
  if (!filter.image.empty()) needles_.push_back(InLine(image_.substr(image_.rfind('@') + 1)));
  if (!outcome_.empty()) {
    needles_.push_back(outcome_ == kUnsuccessful ? R"("outcome")" : JsonString(outcome_));
  }
  if (!filter.rule.empty()) needles_.push_back(JsonString(filter.rule));
  if (!filter.shadow_rule.empty()) needles_.push_back(JsonString(filter.shadow_rule));
}

bool Matcher::Matches(const RecordHeader& header, std::string_view line) const {
  if (!Holds(run_id_, header.run_id) || !Holds(principal_, header.principal)) return false;
  if (!Holds(type_, header.type)) return false;
  // The times are of fixed width: they compare as texts.
  if (!since_.empty() && header.time < since_) return false;
  if (!until_.empty() && header.time >= until_) return false;
  return needles_.empty() || MembersMatch(line);
}

bool Matcher::MembersMatch(std::string_view line) const {
  // Spares nearly all lines the parser.
  const auto has = [line](const std::string& needle) {
    return line.find(needle) != std::string_view::npos;
  };
  if (!std::all_of(needles_.begin(), needles_.end(), has)) return false;
  const auto members = ParseMembers(line);
  if (!members) return false;
  return (tenant_.empty() || TenantMatches(tenant_, *members)) &&
         (image_.empty() || AnyImageMatches(image_, *members)) &&
         (outcome_.empty() || OutcomeMatches(outcome_, *members)) &&
         (rule_.empty() || RuleMatches(rule_, *members)) &&
         (shadow_rule_.empty() || RuleMatches(shadow_rule_, MemberOf(*members, "shadow")));
}

}  // namespace tidewaiter::audit
