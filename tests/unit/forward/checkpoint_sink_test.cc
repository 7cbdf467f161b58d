#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <thread>

#include "broker/forward/file_sink.h"
#include "broker/forward/url_sink.h"
#include "tests/support/scratch_folder.h"
#include "tests/unit/forward/http_listener.h"

namespace tidewaiter::forward {
namespace {

using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::StartsWith;

Deadline Soon() {
  return Deadline::After(std::chrono::seconds(20));
}

std::string ContentOf(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

TEST(FileSink, TheFileIsForEveryoneToReadWhateverTheUmask) {
  const testing::ScratchFolder folder;
  const mode_t before = ::umask(077);
  FileSink sink(folder / "checkpoint");
  ASSERT_TRUE(sink.Publish("note", {}, Soon()).has_value());
  ::umask(before);
  struct stat status {};
  ASSERT_EQ(::stat((folder / "checkpoint").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777U, 0644U);
  EXPECT_EQ(ContentOf(folder / "checkpoint"), "note");
}

TEST(FileSink, AReaderSeesTheOldOrTheNewAndNothingBetween) {
  const testing::ScratchFolder folder;
  const std::string path = folder / "checkpoint";
  FileSink sink(path);
  const std::string first(8192, 'a');
  const std::string second(4096, 'b');
  ASSERT_TRUE(sink.Publish(first, {}, Soon()).has_value());
  std::atomic<bool> done{false};
  int wrong = 0;
  std::thread reader([&] {
    while (!done) {
      const std::string content = ContentOf(path);
      if (content != first && content != second) ++wrong;
    }
  });
  for (int i = 0; i < 50; ++i) {
    EXPECT_TRUE(sink.Publish(i % 2 == 0 ? second : first, {}, Soon()).has_value());
  }
  done = true;
  reader.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_FALSE(std::filesystem::exists(path + ".new"));
}

TEST(FileSink, AFolderThatIsAwayIsAFailureAndNoHarmOnceItIsBack) {
  const testing::ScratchFolder folder;
  FileSink sink(folder / "mount/checkpoint");
  const auto away = sink.Publish("note", {}, Soon());
  ASSERT_FALSE(away.has_value());
  EXPECT_THAT(away.error().message,
              StartsWith("open folder '" + (folder / "mount") + "': No such"));
  std::filesystem::create_directory(folder / "mount");
  EXPECT_TRUE(sink.Publish("note", {}, Soon()).has_value());
}

TEST(FileSink, WhatIsKeptIsWhatWasPublishedLast) {
  const testing::ScratchFolder folder;
  FileSink sink(folder / "checkpoint");
  EXPECT_EQ(sink.Kept({}, Soon()).value(), std::nullopt);
  ASSERT_TRUE(sink.Publish("note", {}, Soon()).has_value());
  EXPECT_EQ(sink.Kept({}, Soon()).value(), "note");
}

TEST(UrlSink, WhatIsKeptThereIsAskedFor) {
  HttpListener server({200, 404, 405, 500});
  const auto sink = UrlSink::Create(server.url() + "/c", "").value();
  EXPECT_EQ(sink->Kept({}, Soon()).value(), "kept");
  EXPECT_THAT(server.request(), StartsWith("GET /c HTTP/1.1\r\n"));
  EXPECT_EQ(sink->Kept({}, Soon()).value(), std::nullopt);
  EXPECT_EQ(sink->Kept({}, Soon()).value(), std::nullopt);
  EXPECT_FALSE(sink->Kept({}, Soon()).has_value());
}

TEST(UrlSink, ACheckpointIsPutThere) {
  HttpListener server({200});
  const auto sink = UrlSink::Create(server.url() + "/log/checkpoint?key=secret", "").value();
  EXPECT_EQ(sink->Name(), "'" + server.url() + "/log/checkpoint'");
  const auto published = sink->Publish("origin\n5\nhash\n", {}, Soon());
  ASSERT_TRUE(published.has_value()) << published.error().message;
  EXPECT_THAT(server.request(), AllOf(StartsWith("PUT /log/checkpoint?key=secret HTTP/1.1\r\n"),
                                      HasSubstr("\r\nContent-Type: text/plain; charset=utf-8\r\n"),
                                      EndsWith("\r\n\r\norigin\n5\nhash\n")));
}

TEST(UrlSink, WhatIsNo2xxIsAFailureWithoutTheQuery) {
  for (const int status : {302, 403, 500}) {
    HttpListener server({status});
    const auto sink = UrlSink::Create(server.url() + "/c?key=secret", "").value();
    const auto published = sink->Publish("note", {}, Soon());
    ASSERT_FALSE(published.has_value());
    EXPECT_EQ(published.error().message,
              "send 'PUT " + server.url() + "/c': status " + std::to_string(status));
  }
}

TEST(UrlSink, NobodyThereIsAFailureAndNotForLong) {
  std::string url;
  {
    HttpListener server({});
    url = server.url();
  }
  const auto sink = UrlSink::Create(url + "/c", "").value();
  EXPECT_FALSE(sink->Publish("note", {}, Soon()).has_value());
  HttpListener silent({0});
  const auto waits = UrlSink::Create(silent.url() + "/c", "").value();
  EXPECT_FALSE(waits->Publish("note", {}, Deadline::After(std::chrono::milliseconds(50))));
}

TEST(UrlSink, AfterAFailureItCanBeTriedAgain) {
  HttpListener server({500, 503, 204});
  const auto sink = UrlSink::Create(server.url() + "/c", "").value();
  int attempts = 1;
  while (!sink->Publish("note", {}, Soon())) ++attempts;
  EXPECT_EQ(attempts, 3);
}

}  // namespace
}  // namespace tidewaiter::forward
