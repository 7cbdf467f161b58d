// The list of containers, which is read in pages, from an engine by script.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "broker/docker/engine_api.h"
#include "tests/support/fake_http.h"
#include "tests/support/stand_in_recordings.h"
#include "tests/support/stand_in_server.h"

namespace tidewaiter::docker {
namespace {

using testing::Answer;
using ::testing::Each;
using ::testing::ElementsAreArray;
using testing::FakeHttp;
using ::testing::HasSubstr;
using testing::kVersionAnswer;
using ::testing::SizeIs;

constexpr std::size_t kPage = EngineApi::kMostOnPage;
constexpr std::ptrdiff_t kLastOfPage = kPage - 1;

// As 20.10: the newest first, `before` and `limit`, and 500 for a `before` that is not there.
class ContainerPages : public ::testing::Test {
 protected:
  // The newest first.
  void Have(std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
      const std::string number = std::to_string(100000 + count - i);
      ids_.push_back(std::string(64 - number.size(), 'a') + number);
    }
  }

  Result<io::HttpResponse> Answer(const io::HttpRequest& request) {
    if (request.url == "http://docker/version") return docker::Answer(200, kVersionAnswer);
    const std::string query = request.url.substr(request.url.find('?') + 1);
    const Json filters = *ParseJson(testing::PercentDecode(testing::QueryValue(query, "filters")));
    const std::string before = filters.contains("before") ? filters["before"][0] : Json("");
    if (filters.contains("id")) {
      const bool there = std::count(ids_.begin(), ids_.end(), filters["id"][0]) > 0;
      return docker::Answer(200, there ? R"([{"Id":"x"}])" : "[]");
    }
    pages_.push_back(std::stoul(testing::QueryValue(query, "limit")));
    if (on_page_) on_page_(pages_.size());
    auto from =
        before.empty() || stuck_ ? ids_.begin() : std::find(ids_.begin(), ids_.end(), before);
    if (from == ids_.end() && !before.empty()) {
      return docker::Answer(500, testing::Message("no such container " + before));
    }
    if (!before.empty() && !stuck_) ++from;
    Json page = Json::array();
    for (; from != ids_.end() && page.size() < pages_.back(); ++from)
      page.push_back({{"Id", *from}});
    if (page.size() > fit_) return Fail(ErrorCode::kResourceExhausted, "the answer is longer");
    return refuses_ && !before.empty() ? docker::Answer(500, testing::Message("out of order"))
                                       : docker::Answer(200, page.dump());
  }

  Result<std::vector<std::string>> List() {
    FakeHttp http([this](const io::HttpRequest& request) { return Answer(request); });
    EngineClient client(http, "/s");
    const DockerSettings settings;
    std::vector<std::string> listed;
    TW_TRY(EngineApi(client, settings)
               .ListContainers("l",
                               {.stop = {}, .deadline = Deadline::After(std::chrono::minutes(1))},
                               [&](const Json& item) { listed.push_back(TextAt(item, "Id")); }));
    return listed;
  }

  std::vector<std::string> ids_;
  std::size_t fit_ = 100000;  // so many fit into an answer
  bool stuck_ = false;        // says the first page again and again
  bool refuses_ = false;      // every page but the first
  std::function<void(std::size_t)> on_page_;
  std::vector<std::size_t> pages_;  // their limits
};

TEST_F(ContainerPages, AFewTakeOneCall) {
  Have(kPage - 1);
  const auto listed = List();
  ASSERT_TRUE(listed.has_value()) << listed.error().message;
  EXPECT_THAT(*listed, ElementsAreArray(ids_));
  EXPECT_THAT(pages_, SizeIs(1));
}

TEST_F(ContainerPages, ManyAreListedToTheLast) {
  Have(4 * kPage - 1);
  const auto listed = List();
  ASSERT_TRUE(listed.has_value()) << listed.error().message;
  EXPECT_THAT(*listed, ElementsAreArray(ids_));
  EXPECT_THAT(pages_, SizeIs(4));
}

TEST_F(ContainerPages, WhatIsTooLongForOneAnswerIsAskedForInSmallerPages) {
  Have(kPage + 50);
  fit_ = 20;
  const auto listed = List();
  ASSERT_TRUE(listed.has_value()) << listed.error().message;
  EXPECT_THAT(*listed, ElementsAreArray(ids_));
  EXPECT_EQ(pages_.back(), 16U);
}

TEST_F(ContainerPages, OneThatIsTooLongByItselfIsAnError) {
  Have(3);
  fit_ = 0;
  const auto listed = List();
  ASSERT_FALSE(listed.has_value());
  EXPECT_EQ(listed.error().code, ErrorCode::kResourceExhausted);
}

TEST_F(ContainerPages, RemovalsBetweenPagesHideNothing) {
  Have(2 * kPage + 100);
  const std::vector<std::string> all = ids_;
  // The last of the first page, and some before it and after it.
  on_page_ = [&](std::size_t page) {
    if (page == 2) ids_.erase(ids_.begin() + kLastOfPage - 5, ids_.begin() + kLastOfPage + 5);
  };
  const auto listed = List();
  ASSERT_TRUE(listed.has_value()) << listed.error().message;
  std::vector<std::string> expected = all;
  expected.erase(expected.begin() + kLastOfPage + 1, expected.begin() + kLastOfPage + 5);
  EXPECT_THAT(*listed, ElementsAreArray(expected));
}

TEST_F(ContainerPages, WhereAWholePageIsRemovedTheRestIsStillListed) {
  Have(kPage + 50);
  on_page_ = [&](std::size_t page) {
    if (page == 2) ids_.erase(ids_.begin(), ids_.begin() + kLastOfPage + 1);
  };
  const auto listed = List();
  ASSERT_TRUE(listed.has_value()) << listed.error().message;
  EXPECT_THAT(*listed, SizeIs(kPage + 50));
}

TEST_F(ContainerPages, ARefusalWhileTheAnchorIsThereIsAnError) {
  Have(kPage + 50);
  refuses_ = true;
  const auto listed = List();
  ASSERT_FALSE(listed.has_value());
  EXPECT_THAT(listed.error().message, HasSubstr("out of order"));
}

TEST_F(ContainerPages, AListWithoutAnEndIsAnError) {
  Have(101'000);
  const auto listed = List();
  ASSERT_FALSE(listed.has_value());
  EXPECT_THAT(listed.error().message, HasSubstr("there is no end of them"));
}

TEST_F(ContainerPages, APageThatSaysNothingNewIsAnError) {
  Have(kPage + 50);
  stuck_ = true;
  const auto listed = List();
  ASSERT_FALSE(listed.has_value());
  EXPECT_EQ(listed.error().Reason(), "ENGINE_INVALID_ANSWER");
}

}  // namespace
}  // namespace tidewaiter::docker
