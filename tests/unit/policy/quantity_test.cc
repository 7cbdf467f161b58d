#include "policy/quantity.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <limits>

namespace tidewaiter::policy {
namespace {

using std::chrono::milliseconds;

TEST(Quantity, SizesAreWholeNumbersOfBinaryUnits) {
  EXPECT_EQ(*ParseSize("0"), 0);
  EXPECT_EQ(*ParseSize("4096"), 4096);
  EXPECT_EQ(*ParseSize("5B"), 5);
  EXPECT_EQ(*ParseSize("512KiB"), 512 * 1024);
  EXPECT_EQ(*ParseSize("64MiB"), 64 * 1024 * 1024);
  EXPECT_EQ(*ParseSize("2GiB"), std::int64_t{2} << 30);
  EXPECT_EQ(*ParseSize("1TiB"), std::int64_t{1} << 40);
}

TEST(Quantity, AmbiguousSizesAreRefused) {
  for (const char* bad : {"", "GiB", "1 GiB", "1MB", "1m", "1g", "1K", "1gib", "-1", "+1", "1.5GiB",
                          "1e3", "0x10", "1GiB ", "1GiBB"}) {
    EXPECT_FALSE(ParseSize(bad).has_value()) << bad;
  }
}

TEST(Quantity, SizesDoNotOverflow) {
  EXPECT_EQ(*ParseSize("9223372036854775807"), std::numeric_limits<std::int64_t>::max());
  EXPECT_FALSE(ParseSize("9223372036854775808").has_value());
  EXPECT_TRUE(ParseSize("8388607TiB").has_value());
  EXPECT_FALSE(ParseSize("8388608TiB").has_value());
}

TEST(Quantity, CpusAreExactThousandths) {
  EXPECT_EQ(*ParseCpuMillis("1"), 1000);
  EXPECT_EQ(*ParseCpuMillis("0.5"), 500);
  EXPECT_EQ(*ParseCpuMillis("0.125"), 125);
  EXPECT_EQ(*ParseCpuMillis("2.5000"), 2500);
  for (const char* bad : {"", ".5", "1.", "0.0001", "1,5", "-1", "1e1", "inf", "nan", "1 "}) {
    EXPECT_FALSE(ParseCpuMillis(bad).has_value()) << bad;
  }
}

TEST(Quantity, FloatingPointCpusAreThousandthsOrRefused) {
  EXPECT_EQ(*CpuMillis(0.1), 100);
  EXPECT_EQ(*CpuMillis(2.675), 2675);
  EXPECT_EQ(*CpuMillis(-1), -1000);
  EXPECT_FALSE(CpuMillis(0.0001).has_value());
  EXPECT_FALSE(CpuMillis(1.0005).has_value());
  EXPECT_FALSE(CpuMillis(1.00000001).has_value());
  EXPECT_FALSE(CpuMillis(std::nextafter(1.0, 2.0)).has_value());
  EXPECT_EQ(*CpuMillis(-0.0), 0);
  EXPECT_FALSE(CpuMillis(std::nan("")).has_value());
  EXPECT_FALSE(CpuMillis(std::numeric_limits<double>::infinity()).has_value());
  EXPECT_FALSE(CpuMillis(1e300).has_value());
}

TEST(Quantity, DurationsAddUp) {
  EXPECT_EQ(*ParseDuration("500ms"), milliseconds(500));
  EXPECT_EQ(*ParseDuration("30s"), milliseconds(30000));
  EXPECT_EQ(*ParseDuration("15m"), milliseconds(900000));
  EXPECT_EQ(*ParseDuration("24h"), milliseconds(86400000));
  EXPECT_EQ(*ParseDuration("1h30m"), milliseconds(5400000));
  EXPECT_EQ(*ParseDuration("1.5s"), milliseconds(1500));
  EXPECT_EQ(*ParseDuration("0s"), milliseconds(0));
}

TEST(Quantity, BadDurationsAreRefused) {
  for (const char* bad : {"",
                          "15",
                          "m",
                          "15 m",
                          "m15",
                          "1m1h",
                          "1s1s",
                          "-1s",
                          "+1s",
                          "1.s",
                          ".5s",
                          "1.5h30m",
                          "0.5ms",
                          "1.05ms",
                          "1d",
                          "1us",
                          "1M",
                          "1..5s",
                          "1e3s",
                          "9223372036854775807h",
                          "9223372036854775807ms1s"}) {
    EXPECT_FALSE(ParseDuration(bad).has_value()) << bad;
  }
}

TEST(Quantity, FormatsParseBack) {
  for (const std::int64_t value :
       {std::int64_t{1}, std::int64_t{1024}, std::int64_t{1536} << 20, std::int64_t{1001},
        std::int64_t{3600000}, std::numeric_limits<std::int64_t>::max()}) {
    EXPECT_EQ(*ParseSize(FormatSize(value)), value);
    EXPECT_EQ(ParseDuration(FormatDuration(milliseconds(value)))->count(), value);
    EXPECT_EQ(*ParseCpuMillis(FormatCpuMillis(value)), value);
  }
  EXPECT_EQ(FormatSize(0), "0B");
  EXPECT_EQ(FormatDuration(milliseconds(-5)), "-5ms");
  EXPECT_EQ(FormatCpuMillis(-500), "-0.5");
  EXPECT_EQ(FormatCpuMillis(4000), "4");
}

}  // namespace
}  // namespace tidewaiter::policy
