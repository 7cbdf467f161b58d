#include "client/commands/pull_progress.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <string>

namespace tidewaiter::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Le;
using ::testing::Not;
using ::testing::StartsWith;

v1::ImageProgress Layer(const std::string& name, std::int64_t current, std::int64_t total) {
  v1::ImageProgress progress;
  progress.set_layer(name);
  progress.set_status("Downloading");
  progress.set_current_bytes(current);
  progress.set_total_bytes(total);
  return progress;
}

TEST(PullProgress, DrawsABarPerLayer) {
  PullProgress progress(client::Terminal::With(false, 100));
  EXPECT_EQ(progress.Update(Layer("aaaaaaaaaaaa", 1 << 20, 4 << 20)),
            "aaaaaaaaaaaa  Downloading        [======                  ] 1 MiB of 4 MiB\n");
}

TEST(PullProgress, DrawsOverWhatItDrew) {
  PullProgress progress(client::Terminal::With(false, 100));
  progress.Update(Layer("a", 0, 10));
  EXPECT_THAT(progress.Update(Layer("b", 0, 10)), StartsWith("\x1b[1F\x1b[Ja "));
  EXPECT_THAT(progress.Update(Layer("a", 10, 10)), StartsWith("\x1b[2F\x1b[Ja "));
}

TEST(PullProgress, LeavesTheScreenAsItWas) {
  PullProgress progress(client::Terminal::With(false, 100));
  EXPECT_THAT(progress.Clear(), IsEmpty());
  progress.Update(Layer("a", 0, 10));
  EXPECT_EQ(progress.Clear(), "\x1b[1F\x1b[J");
  EXPECT_THAT(progress.Clear(), IsEmpty());
}

TEST(PullProgress, NeverWrapsALine) {
  PullProgress progress(client::Terminal::With(false, 40));
  const std::string drawn = progress.Update(Layer("aaaaaaaaaaaaaaaaaaaa", 1 << 20, 4 << 20));
  EXPECT_THAT(drawn.size(), Le(40U));
}

TEST(PullProgress, BoundsItsHeight) {
  PullProgress progress(client::Terminal::With(false, 100));
  std::string drawn;
  for (int i = 0; i < 300; ++i) drawn = progress.Update(Layer("l" + std::to_string(i), 0, 10));
  drawn = drawn.substr(drawn.find("\x1b[J") + 3);
  EXPECT_EQ(std::count(drawn.begin(), drawn.end(), '\n'),
            static_cast<std::ptrdiff_t>(PullProgress::kMaxLines) + 1);
  EXPECT_THAT(drawn, HasSubstr("and 244 more layers\n"));
}

TEST(PullProgress, SurvivesSizesThatMakeNoSense) {
  PullProgress progress(client::Terminal::With(false, 100));
  EXPECT_THAT(progress.Update(Layer("a", 100, 10)), HasSubstr("[========================]"));
  EXPECT_THAT(progress.Update(Layer("a", -5, 10)), HasSubstr("[                        ]"));
  EXPECT_THAT(progress.Update(Layer("a", 5, -10)), Not(HasSubstr("[=")));
}

TEST(PullProgress, PassesNoControlCharacterOn) {
  PullProgress progress(client::Terminal::With(false, 100));
  v1::ImageProgress hostile = Layer("\x1b[2J", 0, 0);
  hostile.set_status("\x1b[31m\n");
  EXPECT_THAT(progress.Update(hostile), Not(HasSubstr("\x1b")));
}

TEST(PullProgress, IgnoresRemarksWithoutALayer) {
  PullProgress progress(client::Terminal::With(false, 100));
  EXPECT_THAT(progress.Update(Layer("", 0, 0)), IsEmpty());
  v1::ImageProgress remark = Layer("lab/toolbox", 0, 0);
  remark.set_status("Pulling from lab/toolbox");
  EXPECT_THAT(progress.Update(remark), IsEmpty());
}

}  // namespace
}  // namespace tidewaiter::cli
