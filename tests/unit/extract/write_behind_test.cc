// Files by several threads: what arrives, and how a thread's refusal reaches the caller.
#include "extract/write_behind.h"

#include <gtest/gtest.h>

#include <latch>
#include <new>

#include "tests/unit/extract/recording_sink.h"

namespace tidewaiter::extract {
namespace {

// Fails at the file named "bad", or in the way that it is told.
class FailingSink final : public Sink {
 public:
  enum class Way { kRefuse, kNoMemory };
  // Waits for `until` first, where there is one.
  explicit FailingSink(Way way = Way::kRefuse, std::latch* until = nullptr)
      : way_(way), until_(until) {}

  Expected<void> AddFolder(const std::string&, std::uint32_t) override { return {}; }
  Expected<void> SetFolderMode(const std::string&, std::uint32_t) override { return {}; }
  Expected<void> BeginFile(const std::string& path, std::uint32_t, std::uint64_t) override {
    after_failure_ += failed_;
    if (path != "bad") return {};
    failed_ = 1;
    if (until_ != nullptr) until_->wait();
    if (way_ == Way::kNoMemory) throw std::bad_alloc();
    return Refuse(Code::kWrite, "no space", path);
  }
  Expected<void> Write(std::string_view) override { return {}; }
  Expected<void> EndFile() override { return {}; }
  Expected<void> Finish() override { return {}; }

  [[nodiscard]] int after_failure() const { return after_failure_; }

 private:
  const Way way_;
  std::latch* const until_;
  int failed_ = 0;
  int after_failure_ = 0;
};

Expected<void> AddFile(Sink& sink, const std::string& path, const std::string& content) {
  if (auto begun = sink.BeginFile(path, 0644, content.size()); !begun) return begun;
  if (auto written = sink.Write(content); !written) return written;
  return sink.EndFile();
}

class WriteBehindTest : public ::testing::Test {
 protected:
  std::map<std::string, std::string> Files() const {
    std::map<std::string, std::string> all = one_.files;
    all.insert(two_.files.begin(), two_.files.end());
    return all;
  }

  RecordingSink folders_;
  RecordingSink one_;
  RecordingSink two_;
};

TEST_F(WriteBehindTest, EveryFileArrivesOnce) {
  WriteBehind sink(folders_, {&one_, &two_});
  for (int i = 0; i < 5000; ++i) {
    ASSERT_TRUE(AddFile(sink, "f" + std::to_string(i), std::to_string(i)));
  }
  ASSERT_TRUE(sink.Finish());
  EXPECT_EQ(one_.files.size() + two_.files.size(), 5000U);
  EXPECT_EQ(Files().at("f0"), "0");
  EXPECT_EQ(Files().at("f4999"), "4999");
  EXPECT_EQ(Files().size(), 5000U);
  EXPECT_TRUE(folders_.finished);
}

TEST_F(WriteBehindTest, AFileLargerThanABatchIsOneThreads) {
  std::string content;
  for (int i = 0; content.size() < (3U << 20U); ++i) content += std::to_string(i);
  WriteBehind sink(folders_, {&one_, &two_});
  for (const char* const name : {"a", "b", "c", "d"}) ASSERT_TRUE(AddFile(sink, name, content));
  ASSERT_TRUE(sink.Finish());
  ASSERT_EQ(Files().size(), 4U);
  for (const auto& [name, found] : Files()) EXPECT_EQ(found, content) << name;
}

// To hand over so much costs more than it saves.
TEST_F(WriteBehindTest, ALargeFileIsTheCallersOwnAndTheOnesAroundItAreNot) {
  WriteBehind sink(folders_, {&one_, &two_});
  const std::string large(WriteBehind::kLarge, 'x');
  ASSERT_TRUE(AddFile(sink, "before", "1"));
  ASSERT_TRUE(AddFile(sink, "large", large));
  EXPECT_EQ(folders_.files["large"], large);
  ASSERT_TRUE(AddFile(sink, "after", "2"));
  ASSERT_TRUE(sink.Finish());
  EXPECT_EQ(folders_.files.size(), 1U);
  EXPECT_EQ(Files(), (std::map<std::string, std::string>{{"before", "1"}, {"after", "2"}}));
}

TEST_F(WriteBehindTest, AFolderIsThereBeforeTheCallReturns) {
  WriteBehind sink(folders_, {&one_});
  ASSERT_TRUE(sink.AddFolder("folder", 0755));
  EXPECT_EQ(folders_.folders.count("folder"), 1U);
}

TEST_F(WriteBehindTest, AThreadsRefusalIsTheAnswerToFinish) {
  FailingSink failing;
  WriteBehind sink(folders_, {&failing});
  ASSERT_TRUE(AddFile(sink, "bad", "x"));
  const auto finished = sink.Finish();
  ASSERT_FALSE(finished);
  EXPECT_EQ(finished.error().code, Code::kWrite);
  EXPECT_EQ(finished.error().entry, "bad");
  EXPECT_FALSE(folders_.finished);
}

TEST_F(WriteBehindTest, AThreadsRefusalEndsALongArchive) {
  FailingSink failing;
  WriteBehind sink(folders_, {&failing});
  ASSERT_TRUE(AddFile(sink, "bad", "x"));
  const std::string content(1U << 20U, 'x');
  int taken = 0;
  while (taken < 100 && AddFile(sink, "good", content)) ++taken;
  EXPECT_LT(taken, 100);
}

TEST_F(WriteBehindTest, AfterItsRefusalASinkIsNotCalled) {
  std::latch handed_over(1);
  FailingSink failing(FailingSink::Way::kRefuse, &handed_over);
  WriteBehind sink(folders_, {&failing});
  ASSERT_TRUE(AddFile(sink, "bad", "x"));
  // Several batches, in each of which files begin, before the first is refused.
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(AddFile(sink, "good", std::string(80'000, 'x')));
  handed_over.count_down();
  EXPECT_FALSE(sink.Finish());
  EXPECT_EQ(failing.after_failure(), 0);
}

TEST_F(WriteBehindTest, WantOfMemoryInAThreadIsARefusal) {
  FailingSink failing(FailingSink::Way::kNoMemory);
  WriteBehind sink(folders_, {&failing});
  ASSERT_TRUE(AddFile(sink, "bad", "x"));
  const auto finished = sink.Finish();
  ASSERT_FALSE(finished);
  EXPECT_EQ(finished.error().code, Code::kMemory);
}

TEST_F(WriteBehindTest, ARefusedArchiveNeedsNoFinish) {
  WriteBehind sink(folders_, {&one_, &two_});
  ASSERT_TRUE(sink.BeginFile("half", 0644, 100));
  ASSERT_TRUE(sink.Write("x"));
}

}  // namespace
}  // namespace tidewaiter::extract
