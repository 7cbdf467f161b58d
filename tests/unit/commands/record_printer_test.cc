#include "client/commands/record_printer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "client/terminal_text.h"

namespace tidewaiter::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr std::string_view kDenied =
    R"({"index":4,"principal":"validator","requested_image":"evil.example/x",)"
    R"("run_id":"nbswy3dpo5xxe3dehbswy3dpo4","time":"2026-10-02T12:35:00.000000001Z",)"
    R"("type":"run.denied","violations":[{"rule":"image.repository-not-allowed"},{"rule":"r"}]})";

std::string Row(RecordPrinter& printer, std::string_view line) {
  const std::string text = printer.Text(line);
  return text.substr(text.find('\n') + 1);
}

TEST(RecordPrinter, JsonIsTheExactLine) {
  RecordPrinter printer(RecordFormat::kJson, client::Terminal::With(true, 40));
  EXPECT_EQ(printer.Text(kDenied), std::string(kDenied) + '\n');
}

TEST(RecordPrinter, TheHeadComesOnce) {
  RecordPrinter printer(RecordFormat::kTable, client::Terminal::None());
  EXPECT_THAT(printer.Text(kDenied), HasSubstr("TIME "));
  EXPECT_THAT(printer.Text(kDenied), Not(HasSubstr("TIME ")));
}

TEST(RecordPrinter, ADenialShowsItsFirstRuleAndHowManyMore) {
  RecordPrinter printer(RecordFormat::kTable, client::Terminal::None());
  const std::string row = Row(printer, kDenied);
  EXPECT_THAT(row, HasSubstr("2026-10-02 12:35:00  4        run.denied"));
  EXPECT_THAT(row, HasSubstr("nbswy3dpo5xxe3dehbswy3dpo4  validator"));
  EXPECT_THAT(row, HasSubstr("image.repository-not-allowed +1  evil.example/x\n"));
}

TEST(RecordPrinter, AnEndShowsItsKindAndStatus) {
  RecordPrinter printer(RecordFormat::kTable, client::Terminal::None());
  EXPECT_THAT(Row(printer, R"({"outcome":{"exit_code":3,"kind":"EXITED"},"type":"run.finished"})"),
              HasSubstr("EXITED 3"));
  EXPECT_THAT(printer.Text(R"({"outcome":{"kind":"FAILED","reason":"PULL"}})"),
              HasSubstr("FAILED PULL"));
}

TEST(RecordPrinter, ARowIsCutToTheTerminal) {
  RecordPrinter printer(RecordFormat::kTable, client::Terminal::With(false, 80));
  std::string text = printer.Text(kDenied);
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    EXPECT_LE(client::ColumnsOf(text.substr(0, end)), 80U) << text;
    text.erase(0, end + 1);
  }
}

TEST(RecordPrinter, WhatAStrangerChoseCannotSteerTheTerminal) {
  RecordPrinter printer(RecordFormat::kTable, client::Terminal::None());
  const std::string text = printer.Text(
      "{\"principal\":\"a\\u001b[2Jb\\nc\",\"requested_image\":\"\\u202Eevil\",\"type\":"
      "\"\\u009b\"}");
  EXPECT_THAT(text, HasSubstr("a\\x1b[2Jb\\x0ac"));
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 2);
  for (const char* bad : {"\x1b", "\u202e", "\u009b"}) EXPECT_THAT(text, Not(HasSubstr(bad)));
}

TEST(RecordPrinter, ALineThatIsNoRecordIsShownEscaped) {
  RecordPrinter printer(RecordFormat::kTable, client::Terminal::None());
  EXPECT_EQ(Row(printer, "no\trecord"), "no\\x09record\n");
}

}  // namespace
}  // namespace tidewaiter::cli
