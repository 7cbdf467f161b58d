// `tidewaiter audit report`: the page's structure, without a browser.
#include <sys/stat.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <regex>
#include <sstream>
#include <string>
#include <vector>

#include "client/commands/html_text.h"
#include "client/commands/program.h"
#include "tests/support/signed_log.h"

namespace tidewaiter::cli {
namespace {

using audit::Record;
using audit::RecordType;
using std::chrono::minutes;
using ::testing::HasSubstr;
using ::testing::Not;

class AuditReport : public ::testing::Test {
 protected:
  void Decide(RecordType type, const std::string& principal, const std::string& image,
              const std::vector<std::string>& rules, audit::Timestamp when) {
    Record record;
    record.type = type;
    record.caller.emplace().principal = principal;
    record.requested_image = image;
    for (const std::string& rule : rules) {
      record.violations.push_back({.rule = rule, .field = {}, .message = {}, .remedy = {}});
    }
    log_.Add(record, when);
  }
  void Finish(const std::string& kind, std::int64_t duration, audit::Timestamp when) {
    Record record;
    record.type = RecordType::kRunFinished;
    record.outcome = Record::Outcome{
        .kind = kind, .reason = {}, .exit_code = 0, .oom_killed = false, .duration_ms = duration};
    record.receipt.emplace().complete = true;
    log_.Add(record, when);
  }

  // Two days of some principals' work, with a quiet night.
  void FillTwoDays() {
    const std::vector<std::string> principals = {"validator", "grader", "benchmarks",
                                                 "nightly-build"};
    const std::vector<std::string> images = {
        "ghcr.io/platformnetwork/judge:1.4.0", "ghcr.io/platformnetwork/task-python:2.11.3",
        "ghcr.io/platformnetwork/task-rust:1.80.1", "registry.example.org:5000/lab/bench:0.9.12"};
    const std::vector<std::string> rules = {"image.repository-not-allowed", "image.tag-required",
                                            "limits.memory-exceeded", "process.user-root"};
    const std::vector<std::string> kinds = {"EXITED", "EXITED", "EXITED", "EXITED",    "EXITED",
                                            "EXITED", "EXITED", "FAILED", "TIMED_OUT", "CANCELLED"};
    const audit::Timestamp start{std::chrono::sys_days(std::chrono::year(2026) / 10 / 1)};
    std::uint32_t random = 12345;
    const auto next = [&random](std::size_t below) {
      random = random * 1664525U + 1013904223U;
      return static_cast<std::size_t>(random >> 16U) % below;
    };
    for (int minute = 0; minute < 2 * 24 * 60; minute += 2) {
      const int hour = minute / 60 % 24;
      const std::size_t load = hour < 6 ? 1 : hour < 9 || hour > 20 ? 3 : 7;
      if (next(8) >= load) continue;
      const audit::Timestamp when = start + minutes(minute);
      const std::size_t who = next(4) * next(4) / 3;
      if (next(9) == 0) {
        Decide(RecordType::kRunDenied, principals[who], "docker.io/library/busybox:latest",
               {rules[next(4) * next(4) / 3]}, when);
        continue;
      }
      Decide(RecordType::kRunAdmitted, principals[who], images[next(4) * next(4) / 3], {}, when);
      Finish(kinds[next(10)], 400 + static_cast<std::int64_t>(next(90) * next(900)), when);
    }
    log_.Sign();
  }

  int Report(std::vector<std::string> words = {"--key", testing::SignedLog::Key()}) {
    words.insert(words.begin(), {"audit", "report", "--dir", log_.path(), "--html", File()});
    ::testing::internal::CaptureStdout();
    ::testing::internal::CaptureStderr();
    const int status = RunProgram(std::move(words));
    out_ = ::testing::internal::GetCapturedStdout();
    errors_ = ::testing::internal::GetCapturedStderr();
    return status;
  }
  [[nodiscard]] std::string File() const { return pages_.path() + "/report.html"; }
  [[nodiscard]] std::string Page() const {
    std::ostringstream text;
    text << std::ifstream(File()).rdbuf();
    return text.str();
  }

  testing::SignedLog log_;
  testing::ScratchFolder pages_;
  std::string out_;
  std::string errors_;
};

// Every element that is opened is closed, in order.
bool IsWellFormed(const std::string& page) {
  static const std::regex kTag("<(/?)([a-z0-9]+)([^>]*)>");
  std::vector<std::string> open;
  for (std::sregex_iterator at(page.begin(), page.end(), kTag), end; at != end; ++at) {
    const std::string name = (*at)[2];
    const std::string rest = (*at)[3];
    if (name == "meta" || rest.ends_with('/')) continue;
    if ((*at)[1].length() == 0) {
      open.push_back(name);
    } else if (open.empty() || open.back() != name) {
      ADD_FAILURE() << "</" << name << "> after <" << (open.empty() ? "" : open.back()) << '>';
      return false;
    } else {
      open.pop_back();
    }
  }
  return open.empty();
}

TEST_F(AuditReport, IsAWholePageOfABusyLog) {
  FillTwoDays();
  EXPECT_EQ(Report(), 0) << errors_;
  const std::string page = Page();
  EXPECT_TRUE(page.starts_with("<!DOCTYPE html>\n<html lang=\"en\">"));
  EXPECT_TRUE(IsWellFormed(page));
  for (const char* text :
       {"<strong>Verified</strong>", "Runs over time", "Outcomes", "Denials by rule",
        "Top principals", "Top images", "TIMED_OUT", "image.repository-not-allowed",
        "ghcr.io/platformnetwork/judge:1.4.0",
        "2026-10-01 00:14 to 2026-10-02 23:", "name=\"viewport\"", "prefers-color-scheme:dark"}) {
    EXPECT_THAT(page, HasSubstr(text));
  }
  // For whoever wants to look at it: scripts/report-screenshot.
  if (const char* copy = std::getenv("TIDEWAITER_REPORT_PAGE"); copy != nullptr) {
    std::filesystem::copy_file(File(), copy, std::filesystem::copy_options::overwrite_existing);
  }
}

TEST_F(AuditReport, LoadsNothingAndRunsNothing) {
  FillTwoDays();
  ASSERT_EQ(Report(), 0);
  const std::string page = Page();
  EXPECT_THAT(page, HasSubstr("content=\"default-src 'none'; style-src 'unsafe-inline'\""));
  for (const char* text : {"<script", "javascript:", "http://", "https://", "src=", "href=", "url(",
                           "@import", "<link", "<iframe", "<object", "<form"}) {
    EXPECT_THAT(page, Not(HasSubstr(text)));
  }
  EXPECT_FALSE(std::regex_search(page, std::regex("<[^>]* on[a-z]+=")));
}

TEST_F(AuditReport, NamesOfStrangersAreText) {
  const std::string hostile = "<script>alert('1')</script>\"&\x01\u202E";
  Decide(RecordType::kRunDenied, hostile, hostile, {hostile}, {});
  log_.Sign();
  EXPECT_EQ(Report(), 0) << errors_;
  const std::string page = Page();
  EXPECT_THAT(page, HasSubstr("&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;&quot;&amp;\\x01"
                              "\\xe2\\x80\\xae"));
  for (const char* text : {"<script", "\x01", "\u202E"}) EXPECT_THAT(page, Not(HasSubstr(text)));
  EXPECT_TRUE(IsWellFormed(page));
}

TEST_F(AuditReport, SaysWhatTheVerificationFound) {
  FillTwoDays();
  std::fstream file(log_.FirstFile(), std::ios::in | std::ios::out | std::ios::binary);
  std::string line;
  std::getline(file, line);
  const std::size_t at = line.find("\"gid\":0");
  ASSERT_NE(at, std::string::npos);
  file.seekp(static_cast<std::streamoff>(at + 6));
  file << '9' << std::flush;
  EXPECT_EQ(Report(), 1);
  EXPECT_THAT(Page(), HasSubstr("<strong>Verification failed</strong>"));
  EXPECT_THAT(Page(), HasSubstr("record 0"));
  EXPECT_THAT(Page(), Not(HasSubstr("<strong>Verified")));
  EXPECT_TRUE(IsWellFormed(Page()));
}

TEST_F(AuditReport, SaysThatNobodyVouchesForTheFoldersKey) {
  FillTwoDays();
  EXPECT_EQ(Report({}), 0);
  EXPECT_THAT(Page(), HasSubstr("by a key that nobody vouches for"));
}

TEST_F(AuditReport, WithoutAKeyIsMadeAndNotVerified) {
  FillTwoDays();
  std::filesystem::remove(log_.path() + "/key.pub");
  EXPECT_EQ(Report({}), 1);
  EXPECT_THAT(Page(), HasSubstr("<strong>Not verified</strong>"));
  EXPECT_THAT(errors_, HasSubstr("not verified: find the log's public key"));
}

TEST_F(AuditReport, OfAnEmptyLogIsAPage) {
  log_.Sign();
  Report();
  EXPECT_TRUE(IsWellFormed(Page()));
  EXPECT_THAT(Page(), HasSubstr("no record to no record"));
}

TEST_F(AuditReport, ReplacesTheFileWholeAndKeepsItToItsOwner) {
  FillTwoDays();
  std::ofstream(File()) << "old";
  std::filesystem::permissions(File(), std::filesystem::perms(0644));
  ASSERT_EQ(Report(), 0);
  struct stat status {};
  ASSERT_EQ(::stat(File().c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0600U);
  EXPECT_THAT(Page(), Not(HasSubstr("old")));
  const auto files = std::filesystem::directory_iterator(pages_.path());
  EXPECT_EQ(std::distance(begin(files), end(files)), 1);
}

TEST_F(AuditReport, WhatCannotBeWrittenIsSaid) {
  FillTwoDays();
  std::filesystem::create_directory(File());
  EXPECT_EQ(Report(), 1);
  EXPECT_THAT(errors_, HasSubstr("write '" + File() + "'"));
  const auto files = std::filesystem::directory_iterator(pages_.path());
  EXPECT_EQ(std::distance(begin(files), end(files)), 1) << "nothing is left of the attempt";
}

TEST_F(AuditReport, WithJsonSaysWhatItMade) {
  FillTwoDays();
  ASSERT_EQ(Report({"--json", "--key", testing::SignedLog::Key()}), 0);
  EXPECT_THAT(out_, HasSubstr("\"verified\":true"));
  EXPECT_EQ(RunProgram({"audit", "report"}), 2);
}

TEST(HtmlText, IsNoMarkup) {
  EXPECT_EQ(HtmlText("<a href='x'>&\"</a>"), "&lt;a href=&#39;x&#39;&gt;&amp;&quot;&lt;/a&gt;");
  EXPECT_EQ(HtmlText("a\nb"), "a\\x0ab");
  EXPECT_EQ(HtmlText("\xff"), "\\xff");
}

}  // namespace
}  // namespace tidewaiter::cli
