#include "audit/timestamp.h"

#include <gtest/gtest.h>

namespace tidewaiter::audit {
namespace {

using std::chrono::nanoseconds;
using std::chrono::seconds;

TEST(Timestamp, IsRfc3339InUtcWithNanoseconds) {
  // 1,000,000,000 seconds after the epoch, as POSIX counts.
  EXPECT_EQ(FormatTimestamp(Timestamp(seconds(1'000'000'000)) + nanoseconds(42)),
            "2001-09-09T01:46:40.000000042Z");
}

TEST(Timestamp, KnowsLeapDays) {
  EXPECT_EQ(FormatTimestamp(Timestamp(seconds(951'782'400))), "2000-02-29T00:00:00.000000000Z");
}

TEST(Timestamp, OrderOfTextsIsOrderOfTimes) {
  const Timestamp early(nanoseconds(999'999'999));
  EXPECT_LT(FormatTimestamp(early), FormatTimestamp(early + nanoseconds(1)));
  EXPECT_EQ(FormatTimestamp(early).size(), kTimestampBytes);
}

TEST(Timestamp, IsReadBackAsItWasWritten) {
  for (const char* text : {"1970-01-01T00:00:00.000000000Z", "2026-10-02T12:34:56.000000789Z",
                           "1969-12-31T23:59:59.999999999Z", "2024-02-29T00:00:00.000000000Z"}) {
    const auto when = ParseTimestamp(text);
    ASSERT_TRUE(when.has_value()) << text;
    EXPECT_EQ(FormatTimestamp(*when), text);
  }
}

TEST(Timestamp, AnyOtherFormIsNone) {
  for (const char* text : {"", "2026-10-02T12:34:56Z", "2026-10-02 12:34:56.000000789Z",
                           "2026-13-02T12:34:56.000000789Z", "2026-02-29T12:34:56.000000789Z",
                           "2026-10-02T24:34:56.000000789Z", "2026-10-02T12:34:60.000000789Z",
                           "2026-10-02T12:34:56.00000078-Z", "9999-10-02T12:34:56.000000789Z",
                           "2026-1--02T12:34:56.000000789Z", "2026-10-02T12:34:56.000000789z"}) {
    EXPECT_FALSE(ParseTimestamp(text).has_value()) << text;
  }
}

}  // namespace
}  // namespace tidewaiter::audit
