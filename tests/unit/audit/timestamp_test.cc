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

}  // namespace
}  // namespace tidewaiter::audit
