// Trees that a hostile container could leave behind.
#include "extract/folder_packer.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/only_chown.h"
#include "tests/support/required.h"
#include "tests/support/scratch_folder.h"
#include "tests/unit/extract/recording_sink.h"

namespace tidewaiter::extract {
namespace {

namespace fs = std::filesystem;
using Omissions = std::map<std::string, std::string>;

class PackFolderTest : public ::testing::Test {
 protected:
  void File(const std::string& path, const std::string& content = "x") {
    std::ofstream(folder_ / path) << content;
  }
  Expected<Summary> Pack(Limits limits = {}, bool reclaim = false) {
    options_.limits = limits;
    options_.reclaim = reclaim;
    options_.on_omission = [&](const Omission& omission) {
      omitted_[omission.path] = ToString(omission.code);
      messages_[omission.path] = omission.message;
    };
    return PackHere();
  }
  Expected<Summary> PackHere() {
    const UniqueFd fd(::open(folder_.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    return PackFolder(fd.get(), options_, sink_);
  }
  std::vector<std::string> Files() const {
    std::vector<std::string> names;
    for (const auto& [name, content] : sink_.files) names.push_back(name);
    return names;
  }

  testing::ScratchFolder folder_;
  RecordingSink sink_;
  PackOptions options_;
  Omissions omitted_;
  std::map<std::string, std::string> messages_;
};

using Names = std::vector<std::string>;

TEST_F(PackFolderTest, FilesAndFoldersArePackedWithCleanModes) {
  fs::create_directories(folder_ / "a/b");
  File("a/b/f", "content");
  File("empty", "");
  ::chmod((folder_ / "a/b/f").c_str(), 06777);
  ::chmod((folder_ / "a").c_str(), 01777);
  const auto summary = Pack();
  ASSERT_TRUE(summary) << summary.error().message;
  EXPECT_EQ(sink_.files, (std::map<std::string, std::string>{{"a/b/f", "content"}, {"empty", ""}}));
  EXPECT_EQ(sink_.modes.at("a/b/f"), 0755U);
  EXPECT_EQ(sink_.folders.at("a"), 0755U);
  EXPECT_EQ(summary->entries, 4U);
  EXPECT_EQ(summary->bytes, 7U);
  EXPECT_TRUE(sink_.finished);
  EXPECT_TRUE(omitted_.empty());
}

// Keeps the order, which RecordingSink does not.
TEST_F(PackFolderTest, NamesOfAFolderAreSortedByTheirBytes) {
  class Order final : public Sink {
   public:
    Expected<void> AddFolder(const std::string& path, std::uint32_t) override {
      paths.push_back(path + '/');
      return {};
    }
    Expected<void> SetFolderMode(const std::string&, std::uint32_t) override { return {}; }
    Expected<void> BeginFile(const std::string& path, std::uint32_t, std::uint64_t) override {
      paths.push_back(path);
      return {};
    }
    Expected<void> Write(std::string_view) override { return {}; }
    Expected<void> EndFile() override { return {}; }
    Expected<void> Finish() override { return {}; }
    Names paths;
  };
  fs::create_directories(folder_ / "b");
  for (const char* name : {"b/2", "b/1", "B", "a", "b.x", "\u00e9"}) File(name);
  const UniqueFd fd(::open(folder_.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  Order order;
  ASSERT_TRUE(PackFolder(fd.get(), {}, order));
  EXPECT_EQ(order.paths, (Names{"B", "a", "b/", "b/1", "b/2", "b.x", "\u00e9"}));
}

TEST_F(PackFolderTest, WhatIsNoFileOrFolderIsLeftBehindByItsName) {
  File("file");
  fs::create_symlink("/etc/passwd", folder_ / "link");
  fs::create_directory_symlink("/etc", folder_ / "folder-link");
  ASSERT_EQ(::mkfifo((folder_ / "fifo").c_str(), 0666), 0);
  const UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
  (folder_ / "socket").copy(address.sun_path, sizeof(address.sun_path) - 1);
  ASSERT_EQ(::bind(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  ASSERT_TRUE(Pack());
  EXPECT_EQ(Files(), Names{"file"});
  EXPECT_EQ(omitted_, (Omissions{{"link", "symbolic-link"},
                                 {"folder-link", "symbolic-link"},
                                 {"fifo", "fifo"},
                                 {"socket", "socket"}}));
}

TEST_F(PackFolderTest, ADeviceIsLeftBehind) {
  TW_REQUIRE_ROOT();
  if (::mknod((folder_ / "null").c_str(), S_IFCHR | 0666, makedev(1, 3)) != 0) {
    TW_REFUSED_TO_ROOT("may not make devices");
  }
  ASSERT_TRUE(Pack());
  EXPECT_EQ(omitted_, (Omissions{{"null", "device"}}));
}

TEST_F(PackFolderTest, NamesThatNoArchiveMayHoldAreLeftBehind) {
  File("line\nfeed");
  File("latin\xe9");
  fs::create_directory(folder_ / "in");
  File("in/\x1b[31m");
  ASSERT_TRUE(Pack());
  EXPECT_EQ(omitted_, (Omissions{{"line\\x0afeed", "control-character"},
                                 {"latin\\xe9", "not-utf8"},
                                 {"in/\\x1b[31m", "control-character"}}));
  EXPECT_TRUE(sink_.files.empty());
}

TEST_F(PackFolderTest, WhatIsTooDeepIsLeftBehindWhole) {
  fs::create_directories(folder_ / "a/b/c/d");
  File("a/b/c/f");
  ASSERT_TRUE(Pack({.max_depth = 3}));
  EXPECT_EQ(omitted_, (Omissions{{"a/b/c/d", "too-deep"}, {"a/b/c/f", "too-deep"}}));
  EXPECT_EQ(sink_.folders.size(), 3U);
}

TEST_F(PackFolderTest, APathThatIsTooLongIsLeftBehind) {
  fs::create_directory(folder_ / "abc");
  File("abc/def");
  File("abc/d");
  ASSERT_TRUE(Pack({.max_path = 6}));
  EXPECT_EQ(omitted_, (Omissions{{"abc/def", "path-too-long"}}));
  EXPECT_EQ(Files(), Names{"abc/d"});
}

TEST_F(PackFolderTest, AFileThatDoesNotFitIsLeftBehindAndALaterOneFits) {
  File("a", "123");
  File("b", "123");
  File("c", "12");
  ASSERT_TRUE(Pack({.max_bytes = 5}));
  EXPECT_EQ(omitted_, (Omissions{{"b", "too-many-bytes"}}));
  EXPECT_EQ(Files(), (Names{"a", "c"}));
}

TEST_F(PackFolderTest, ASparseTerabyteIsNotRead) {
  File("huge");
  ASSERT_EQ(::truncate((folder_ / "huge").c_str(), off_t{1} << 40U), 0);
  ASSERT_TRUE(Pack());
  EXPECT_EQ(omitted_, (Omissions{{"huge", "too-many-bytes"}}));
}

TEST_F(PackFolderTest, MoreEntriesThanTheLimitAreNotEvenLookedAt) {
  for (int i = 0; i < 10; ++i) File("f" + std::to_string(i));
  ASSERT_TRUE(Pack({.max_entries = 4}));
  EXPECT_EQ(sink_.files.size(), 4U);
  EXPECT_EQ(omitted_, (Omissions{{".", "too-many-entries"}}));
}

TEST_F(PackFolderTest, WhatIsLeftBehindCountsAsAnEntryToo) {
  for (int i = 0; i < 10; ++i) fs::create_symlink("x", folder_ / ("l" + std::to_string(i)));
  ASSERT_TRUE(Pack({.max_entries = 4}));
  EXPECT_EQ(omitted_.size(), 5U);
  EXPECT_EQ(omitted_.at("."), "too-many-entries");
}

TEST_F(PackFolderTest, WithoutAnEarTheFirstOmissionIsTheRefusal) {
  fs::create_symlink("x", folder_ / "li\\nk");
  const auto end = PackHere();
  ASSERT_FALSE(end);
  EXPECT_EQ(end.error(), (Refusal{Code::kSymbolicLink, "a symbolic link", "li\\\\nk"}));
}

TEST_F(PackFolderTest, AStopEndsIt) {
  File("a");
  options_.stopped = [] { return true; };
  const auto end = Pack();
  ASSERT_FALSE(end);
  EXPECT_EQ(end.error().message, "the packing was stopped");
  EXPECT_FALSE(sink_.finished);
}

// Changes the file under way when its content comes.
class MeddlingSink final : public Sink {
 public:
  explicit MeddlingSink(std::function<void()> meddle) : meddle_(std::move(meddle)) {}
  Expected<void> AddFolder(const std::string&, std::uint32_t) override { return {}; }
  Expected<void> SetFolderMode(const std::string&, std::uint32_t) override { return {}; }
  Expected<void> BeginFile(const std::string&, std::uint32_t, std::uint64_t size) override {
    size_ = size;
    meddle_();
    return {};
  }
  Expected<void> Write(std::string_view piece) override {
    written += piece.size();
    return {};
  }
  Expected<void> EndFile() override {
    EXPECT_EQ(written, size_);
    return {};
  }
  Expected<void> Finish() override { return {}; }
  std::uint64_t written = 0;

 private:
  std::function<void()> meddle_;
  std::uint64_t size_ = 0;
};

TEST_F(PackFolderTest, AFileThatGrowsGivesWhatItsHeaderSays) {
  File("f", std::string(1'000'000, 'x'));
  const UniqueFd fd(::open(folder_.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  MeddlingSink sink([&] { fs::resize_file(folder_ / "f", 2'000'000); });
  const auto end = PackFolder(fd.get(), {}, sink);
  EXPECT_TRUE(end) << end.error().message;
  EXPECT_EQ(sink.written, 1'000'000U);
}

TEST_F(PackFolderTest, AFileThatShrinksEndsTheArchive) {
  File("f", std::string(1'000'000, 'x'));
  const UniqueFd fd(::open(folder_.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  MeddlingSink sink([&] { fs::resize_file(folder_ / "f", 0); });
  const auto end = PackFolder(fd.get(), {}, sink);
  ASSERT_FALSE(end);
  EXPECT_EQ(end.error(), (Refusal{Code::kTruncated, "it became shorter while it was read", "f"}));
}

// What is looked at is not always what is opened.
TEST_F(PackFolderTest, NothingOutsideIsPackedWhileNamesAreSwapped) {
  const testing::ScratchFolder outside;
  fs::create_directory(outside / "d");
  std::ofstream(outside / "secret") << "secret";
  std::ofstream(outside / "d/secret") << "secret";
  fs::create_directory(folder_ / "d");
  File("d/secret");
  File("f");
  fs::create_symlink(outside / "secret", folder_ / "f-link");
  fs::create_directory_symlink(outside / "d", folder_ / "d-link");
  ASSERT_EQ(::mkfifo((folder_ / "fifo").c_str(), 0666), 0);
  const UniqueFd fd(::open(folder_.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  const std::jthread swapper([&fd](const std::stop_token& stop) {
    const auto swap = [&fd](const char* one, const char* other) {
      ::renameat2(fd.get(), one, fd.get(), other, RENAME_EXCHANGE);
    };
    while (!stop.stop_requested()) {
      swap("f", "f-link");
      swap("d", "d-link");
      swap("f", "fifo");
    }
  });
  for (int i = 0; i < 500; ++i) {
    sink_.files.clear();
    ASSERT_TRUE(Pack());
    for (const auto& [path, content] : sink_.files) ASSERT_EQ(content, "x") << path;
  }
}

TEST_F(PackFolderTest, AnotherFileSystemIsNotEntered) {
  TW_REQUIRE_ROOT();
  fs::create_directory(folder_ / "mounted");
  if (::mount("tmpfs", (folder_ / "mounted").c_str(), "tmpfs", 0, "size=64k") != 0) {
    TW_REFUSED_TO_ROOT("may not mount");
  }
  File("mounted/f");
  const auto end = Pack();
  ::umount((folder_ / "mounted").c_str());
  EXPECT_TRUE(end);
  EXPECT_EQ(omitted_, (Omissions{{"mounted", "other-file-system"}}));
  EXPECT_TRUE(sink_.files.empty());
}

TEST_F(PackFolderTest, AThousandLevelsTakeNoMoreDescriptorsThanMayBeOpen) {
  UniqueFd here(::open(folder_.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  for (int i = 0; i < 1000; ++i) {
    ASSERT_EQ(::mkdirat(here.get(), "d", 0700), 0);
    here = UniqueFd(::openat(here.get(), "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  }
  rlimit before{};
  ::getrlimit(RLIMIT_NOFILE, &before);
  const rlimit few{.rlim_cur = 90, .rlim_max = before.rlim_max};
  ::setrlimit(RLIMIT_NOFILE, &few);
  const auto end = Pack();
  ::setrlimit(RLIMIT_NOFILE, &before);
  ASSERT_TRUE(end) << end.error().message;
  EXPECT_EQ(sink_.folders.size(), 64U);
  EXPECT_EQ(omitted_.size(), 1U);
}

// Of another user, and closed to everybody.
class ForeignFolderTest : public PackFolderTest {
 protected:
  void SetUp() override {
    TW_REQUIRE_ROOT();
    fs::create_directories(folder_ / "closed");
    fs::create_directories(folder_ / "listed");
    File("closed/f", "closed");
    File("listed/g", "listed");
    fs::create_symlink("/etc/passwd", folder_ / "closed/link");
    for (const char* path : {"closed/f", "listed/g", "closed", "listed"}) {
      ASSERT_EQ(::chown((folder_ / path).c_str(), 65534, 65534), 0);
      ASSERT_EQ(::chmod((folder_ / path).c_str(), 0), 0);
    }
    // It can be listed, and nothing in it reached.
    ASSERT_EQ(::chmod((folder_ / "listed").c_str(), 0744), 0);
    ASSERT_EQ(::chown(folder_.path().c_str(), 65534, 65534), 0);
    ASSERT_EQ(::chmod(folder_.path().c_str(), 0755), 0);
  }
};

TEST_F(ForeignFolderTest, IsPackedWhereItMayBeTakenOver) {
  EXPECT_TRUE(testing::WithOnlyChown([&] {
    return Pack({}, true) &&
           sink_.files ==
               std::map<std::string, std::string>{{"closed/f", "closed"}, {"listed/g", "listed"}} &&
           sink_.modes.at("closed/f") == 0400 && sink_.folders.at("closed") == 0500 &&
           omitted_ == Omissions{{"closed/link", "symbolic-link"}};
  }));
}

TEST_F(ForeignFolderTest, IsLeftBehindWhereNothingIsTakenOver) {
  EXPECT_TRUE(testing::WithOnlyChown([&] {
    return Pack() && sink_.files.empty() &&
           omitted_ == Omissions{{"closed", "unreadable"}, {"listed", "unreadable"}} &&
           messages_.at("closed") == "open the folder: Permission denied";
  }));
  struct stat status {};
  ASSERT_EQ(::stat((folder_ / "closed").c_str(), &status), 0);
  EXPECT_EQ(status.st_uid, 65534U);
}

TEST_F(PackFolderTest, AFolderItselfThatIsClosedIsRefusedOrTakenOver) {
  TW_REQUIRE_ROOT();
  File("f");
  ASSERT_EQ(::chmod((folder_ / "f").c_str(), 0644), 0);
  const UniqueFd fd(::open(folder_.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  ASSERT_EQ(::chmod(folder_.path().c_str(), 0), 0);
  const auto pack = [&](bool reclaim) {
    return testing::WithOnlyChown([&] {
      options_.reclaim = reclaim;
      const auto end = PackFolder(fd.get(), options_, sink_);
      return end ? sink_.files.size() == 1 : end.error().code != Code::kUnreadable;
    });
  };
  EXPECT_FALSE(pack(false));
  EXPECT_TRUE(pack(true));
}

}  // namespace
}  // namespace tidewaiter::extract
