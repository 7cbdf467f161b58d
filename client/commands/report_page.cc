#include "client/commands/report_page.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <string_view>

#include "client/commands/html_text.h"
#include "client/commands/quantity_text.h"
#include "client/commands/report_style.h"

namespace tidewaiter::cli {
namespace {

using audit::Statistics;
using audit::Timeline;
using audit::TopCounts;

constexpr std::size_t kMostBars = 60;
constexpr std::size_t kTop = 10;

// "1,234,567".
std::string Grouped(std::uint64_t number) {
  std::string digits = fmt::format("{}", number);
  for (std::size_t at = digits.size(); at > 3;) {
    at -= 3;
    digits.insert(at, ",");
  }
  return digits;
}

std::string Minute(audit::Timestamp when) {
  std::string text = audit::FormatTimestamp(when).substr(0, 16);
  std::replace(text.begin(), text.end(), 'T', ' ');
  return text;
}

// The beginning of a bar: with the hour where bars are shorter than a day.
std::string BarName(std::chrono::sys_time<std::chrono::hours> begin, std::chrono::hours width) {
  const auto day = std::chrono::floor<std::chrono::days>(begin);
  const std::chrono::year_month_day date(day);
  std::string text =
      fmt::format("{:04}-{:02}-{:02}", static_cast<int>(date.year()),
                  static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()));
  if (width < std::chrono::hours(24)) text += fmt::format(" {:02}:00", (begin - day).count());
  return text;
}

std::string WidthName(std::chrono::hours width) {
  const auto hours = width.count();
  if (hours == 1) return "hour";
  if (hours < 24) return fmt::format("{} hours", hours);
  return hours == 24 ? "day" : fmt::format("{} days", hours / 24);
}

std::string Banner(std::string_view kind, std::string_view title, const std::string& text) {
  return fmt::format(
      "<section class=\"card {}\" aria-label=\"Verification\"><p><strong>{}</strong></p>{}"
      "</section>\n",
      kind, title, text);
}

std::string Verification(const ReportInput& input) {
  const std::string key =
      input.key.empty()
          ? std::string()
          : fmt::format("<p class=\"soft\">Key: <code>{}</code>{}</p>", HtmlText(input.key),
                        input.key_from_folder ? ", the folder&#39;s own: whoever could change the "
                                                "log could change that. Give the one that was kept "
                                                "elsewhere with --key"
                                              : "");
  if (!input.verdict) {
    return Banner("warn", "Not verified",
                  fmt::format("<p>{}</p>{}", HtmlText(input.not_verified), key));
  }
  const audit::Verdict& verdict = *input.verdict;
  if (!verdict.Holds()) {
    const audit::Fault& fault = verdict.faults.front();
    const std::string place = fault.file.empty() ? "" : " (" + fault.file + ")";
    return Banner(
        "bad", "Verification failed",
        fmt::format("<p>{}{}</p><p class=\"soft\">{}{} fault(s); the numbers below are of what is "
                    "there now.</p>{}",
                    HtmlText(fault.message), HtmlText(place),
                    verdict.more_faults ? "more than " : "", verdict.faults.size(), key));
  }
  const std::uint64_t open =
      verdict.next_record - std::min(verdict.next_record, verdict.signed_records);
  std::string text = fmt::format(
      "<p>Records {} to {} are as they were signed: none changed, removed or added ({} "
      "checkpoint(s) in {} segment(s)).</p>",
      Grouped(verdict.first_record),
      Grouped(verdict.next_record == 0 ? 0 : verdict.next_record - 1), Grouped(verdict.checkpoints),
      Grouped(verdict.segments));
  if (open > 0) {
    text += fmt::format("<p>The newest {} record(s) are not covered by a checkpoint yet.</p>",
                        Grouped(open));
  }
  for (const std::string& remark : verdict.remarks) {
    text += fmt::format("<p class=\"soft\">{}</p>", HtmlText(remark));
  }
  return Banner(input.key_from_folder ? "warn" : "good",
                input.key_from_folder ? "Verified, by a key that nobody vouches for" : "Verified",
                text + key);
}

std::string Tile(std::string_view name, const std::string& value, bool alert = false) {
  return fmt::format("<div><dt>{}</dt><dd{}>{}</dd></div>", name, alert ? " class=\"alert\"" : "",
                     HtmlText(value));
}

std::string Tiles(const Statistics& sums) {
  std::string out = "<dl class=\"tiles\">";
  out += Tile("Runs admitted", Grouped(sums.admitted));
  out += Tile("Runs denied", Grouped(sums.denied));
  out += Tile("Unsuccessful ends", Grouped(sums.unsuccessful));
  const bool has_durations = sums.durations.count() > 0;
  out += Tile("Median duration", has_durations ? FormatAbout(sums.durations.Quantile(50)) : "none");
  out += Tile("95 % end within", has_durations ? FormatAbout(sums.durations.Quantile(95)) : "none");
  out += Tile("Teardowns overdue", Grouped(sums.teardowns_overdue),
              sums.teardowns_overdue > sums.teardowns_settled);
  out += Tile("Gaps in the log", Grouped(sums.gaps), sums.gaps > 0);
  out += Tile("Records lost", Grouped(sums.lost_records), sums.lost_records > 0);
  return out + "</dl>\n";
}

std::string Rectangle(std::string_view kind, double x, double y, double width, double height) {
  return fmt::format(R"(<rect class="{}" x="{:.2f}" y="{:.2f}" width="{:.2f}" height="{:.2f}"/>)",
                     kind, x, y, width, height);
}

// Stacked: admitted below, denied above. The texts are outside, so that they do not shrink with it.
std::string Drawing(const Timeline::Bars& drawn, std::uint64_t most) {
  constexpr double kWidth = 1000;
  constexpr double kHeight = 100;
  const double step = kWidth / static_cast<double>(drawn.bars.size());
  const double bar = std::min(step * 0.8, 60.0);
  std::string out = fmt::format(R"(<svg viewBox="0 0 {} {}" preserveAspectRatio="none" role="img" )"
                                R"(aria-label="Runs over time; the same as a table below">)",
                                kWidth, kHeight);
  double x = (step - bar) / 2;
  for (const Timeline::Bar& each : drawn.bars) {
    const double scale = kHeight / static_cast<double>(std::max<std::uint64_t>(most, 1));
    const double admitted = static_cast<double>(each.admitted) * scale;
    const double denied = static_cast<double>(each.denied) * scale;
    if (each.admitted > 0) out += Rectangle("admitted", x, kHeight - admitted, bar, admitted);
    if (each.denied > 0) out += Rectangle("denied", x, kHeight - admitted - denied, bar, denied);
    x += step;
  }
  return out + "</svg>";
}

std::string RunsOverTime(const Statistics& sums) {
  const Timeline::Bars drawn = sums.timeline.Draw(kMostBars);
  if (drawn.bars.empty()) {
    return "<section class=\"card\"><h2>Runs over time</h2><p class=\"soft\">None.</p></section>\n";
  }
  std::uint64_t most = 0;
  for (const Timeline::Bar& bar : drawn.bars) most = std::max(most, bar.admitted + bar.denied);
  std::string out = fmt::format(
      "<section class=\"card\"><h2>Runs over time</h2><p class=\"soft legend\"><span><i "
      "class=\"admitted\"></i>admitted</span><span><i class=\"denied\"></i>denied</span>"
      "</p><p class=\"soft\">By the {}, at most {}.</p>",
      WidthName(drawn.width), Grouped(most));
  out += Drawing(drawn, most);
  out += fmt::format("<p class=\"soft axis\"><span>{}</span><span>{}</span></p>",
                     BarName(drawn.bars.front().begin, drawn.width),
                     BarName(drawn.bars.back().begin, drawn.width));
  out +=
      "<details><summary>As a table</summary><table><thead><tr><th scope=\"col\">From (UTC)</th>"
      "<th scope=\"col\" class=\"number\">admitted</th><th scope=\"col\" class=\"number\">denied"
      "</th></tr></thead><tbody>";
  for (const Timeline::Bar& bar : drawn.bars) {
    if (bar.admitted + bar.denied == 0) continue;
    out += fmt::format(
        "<tr><th scope=\"row\">{}</th><td class=\"number\">{}</td><td class=\"number\">{}</td>"
        "</tr>",
        BarName(bar.begin, drawn.width), Grouped(bar.admitted), Grouped(bar.denied));
  }
  return out + "</tbody></table></details></section>\n";
}

// Names and how often, each with a bar: a table is its own chart.
std::string List(std::string_view title, std::string_view unit, const TopCounts& counts) {
  std::string out = fmt::format("<section class=\"card\"><h2>{}</h2>", title);
  const auto top = counts.Top(kTop);
  if (top.empty()) return out + "<p class=\"soft\">None.</p></section>\n";
  out += fmt::format(
      "<table><thead><tr><th scope=\"col\">{}</th><th scope=\"col\" class=\"number\">count</th>"
      "</tr></thead><tbody>",
      unit);
  const auto most = static_cast<double>(top.front().count);
  for (const TopCounts::Counted& each : top) {
    out += fmt::format(
        "<tr><th scope=\"row\">{}<div class=\"share\" style=\"width:{:.1f}%\"></div></th>"
        "<td class=\"number\">{}</td></tr>",
        each.key.empty() ? "(none)" : HtmlText(each.key),
        100 * static_cast<double>(each.count) / most, Grouped(each.count));
  }
  out += "</tbody></table>";
  if (counts.keys() > kTop) {
    out += fmt::format("<p class=\"soft\">and {} more</p>", Grouped(counts.keys() - kTop));
  }
  if (counts.rest() > 0) {
    out += fmt::format("<p class=\"soft\">{} of others: only the first {} were counted by name</p>",
                       Grouped(counts.rest()), Grouped(counts.keys()));
  }
  return out + "</section>\n";
}

std::string Period(const ReportInput& input) {
  const auto bound = [](const std::optional<audit::Timestamp>& asked,
                        const std::optional<audit::Timestamp>& there) {
    if (asked) return Minute(*asked);
    return there ? Minute(*there) : std::string("no record");
  };
  return bound(input.since, input.sums.first) + " to " + bound(input.until, input.sums.last);
}

std::string Foot(const ReportInput& input) {
  const Statistics& sums = input.sums;
  std::string out = fmt::format(
      "<p class=\"soft\">{} record(s), {}, of <code>{}</code>: {} segment(s), {} on disk. ",
      Grouped(sums.records), FormatBytes(static_cast<std::int64_t>(sums.bytes)),
      HtmlText(input.folder), Grouped(sums.segments),
      FormatBytes(static_cast<std::int64_t>(sums.file_bytes)));
  if (sums.unreadable > 0) {
    out += fmt::format("{} line(s) are no records. ", Grouped(sums.unreadable));
  }
  return out + "Times are UTC. Made by <code>tidewaiter audit report</code>.</p>\n";
}

}  // namespace

std::string ReportPage(const ReportInput& input) {
  const Statistics& sums = input.sums;
  std::string out =
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src "
      "'unsafe-inline'\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
      "<meta name=\"referrer\" content=\"no-referrer\">\n"
      "<title>Tidewaiter audit report</title>\n<style>";
  out += kReportStyle;
  out += "</style>\n</head>\n<body>\n<main>\n";
  out += fmt::format(
      "<header><h1>Tidewaiter audit report</h1><p class=\"soft\">made {} UTC</p></header>\n"
      "<p>{} UTC</p>\n",
      Minute(input.made), Period(input));
  out += Verification(input);
  out += Tiles(sums);
  out += RunsOverTime(sums);
  out += "<div class=\"two\">\n";
  out += List("Outcomes", "outcome", sums.outcomes);
  out += List("Denials by rule", "rule", sums.rules);
  out += List("Top principals", "principal", sums.principals);
  out += List("Top images", "image", sums.images);
  if (sums.denied > 0) out += List("Denials by principal", "principal", sums.denied_principals);
  if (sums.shadow_rules.total() > 0) {
    out += List("The tried policy's denials", "rule", sums.shadow_rules);
  }
  out += List("Records by type", "type", sums.types);
  out += "</div>\n";
  out += Foot(input);
  return out + "</main>\n</body>\n</html>\n";
}

}  // namespace tidewaiter::cli
