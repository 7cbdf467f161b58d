#include "base/trusted_path.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "base/unique_fd.h"
#include "tests/support/required.h"

namespace tidewaiter {
namespace {

using ::testing::HasSubstr;

// A folder of the test's own stands for "/", so that the machine's folders do not matter.
class TrustedPathTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = ::testing::TempDir() + "/trusted.XXXXXX";
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    root_ = name;
    root_fd_ = UniqueFd(::open(root_.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    MakeFolder("/srv");
    MakeFolder("/srv/data");
    MakeFile("/srv/data/file");
  }
  void TearDown() override { std::filesystem::remove_all(root_); }

  void MakeFolder(const std::string& path, mode_t mode = 0755) {
    ASSERT_EQ(::mkdir((root_ + path).c_str(), 0700), 0);
    SetMode(path, mode);
  }
  void MakeFile(const std::string& path, mode_t mode = 0644) {
    std::ofstream(root_ + path) << "x";
    SetMode(path, mode);
  }
  void SetMode(const std::string& path, mode_t mode) {
    ASSERT_EQ(::chmod((root_ + path).c_str(), mode), 0);
  }
  void Link(const std::string& target, const std::string& path) {
    ASSERT_EQ(::symlink(target.c_str(), (root_ + path).c_str()), 0);
  }
  std::string Check(const std::string& path, TrustedObject object = TrustedObject::kAny) {
    const auto trusted = CheckTrustedBelow(root_fd_.get(), path, object);
    return trusted ? "trusted" : trusted.error().message;
  }

  std::string root_;
  UniqueFd root_fd_;
};

TEST_F(TrustedPathTest, FilesAndFoldersOfOursAreTrusted) {
  EXPECT_EQ(Check("/srv/data"), "trusted");
  EXPECT_EQ(Check("/srv/data/file"), "trusted");
  EXPECT_EQ(Check("/"), "trusted");
}

TEST_F(TrustedPathTest, SymbolicLinkOnTheWayIsRefusedByName) {
  Link("data", "/srv/link");
  EXPECT_THAT(Check("/srv/link/file"), HasSubstr("'/srv/link': it is a symbolic link"));
}

TEST_F(TrustedPathTest, SymbolicLinkAtTheEndIsRefused) {
  Link("data/file", "/srv/link");
  EXPECT_THAT(Check("/srv/link"), HasSubstr("'/srv/link': it is a symbolic link"));
  Link("nowhere", "/srv/dangling");
  EXPECT_THAT(Check("/srv/dangling"), HasSubstr("it is a symbolic link"));
}

TEST_F(TrustedPathTest, FolderThatOthersCanWriteIsRefusedByName) {
  SetMode("/srv", 0757);
  EXPECT_THAT(Check("/srv/data"), HasSubstr("'/srv': its mode 0757 lets others write"));
  SetMode("/srv", 0775);
  EXPECT_THAT(Check("/srv/data"), HasSubstr("mode 0775"));
}

TEST_F(TrustedPathTest, StickyFolderIsRefusedAsStrictModesDoes) {
  SetMode("/srv", 01777);
  EXPECT_THAT(Check("/srv/data"), HasSubstr("mode 1777"));
}

TEST_F(TrustedPathTest, RootIsCheckedLikeTheOthers) {
  SetMode("", 0777);
  EXPECT_THAT(Check("/srv/data"), HasSubstr("'/': its mode 0777"));
}

TEST_F(TrustedPathTest, FolderOfAStrangerIsRefusedByName) {
  TW_REQUIRE_ROOT();
  ASSERT_EQ(::chown((root_ + "/srv").c_str(), 12345, 12345), 0);
  EXPECT_THAT(Check("/srv/data"), HasSubstr("'/srv': it is owned by uid 12345"));
}

TEST_F(TrustedPathTest, FolderOfTheUserThatIsNamedIsTrustedAndOursIsNot) {
  TW_REQUIRE_ROOT();
  ASSERT_EQ(::chown((root_ + "/srv").c_str(), 12345, 12345), 0);
  const auto check = [&](uid_t own) {
    return CheckTrustedBelow(root_fd_.get(), "/srv/data/file", TrustedObject::kAny, own)
        .has_value();
  };
  EXPECT_TRUE(check(12345));
  EXPECT_FALSE(check(::geteuid()));
  EXPECT_FALSE(check(12346));
}

TEST_F(TrustedPathTest, ObjectItselfMayBelongToAnyone) {
  SetMode("/srv/data/file", 0666);
  EXPECT_EQ(Check("/srv/data/file"), "trusted");
}

TEST_F(TrustedPathTest, OwnFileMustNotBeWritableByOthers) {
  EXPECT_EQ(Check("/srv/data/file", TrustedObject::kOwnFile), "trusted");
  SetMode("/srv/data/file", 0664);
  EXPECT_THAT(Check("/srv/data/file", TrustedObject::kOwnFile), HasSubstr("mode 0664"));
  EXPECT_THAT(Check("/srv/data", TrustedObject::kOwnFile), HasSubstr("not a regular file"));
}

TEST_F(TrustedPathTest, OwnFolderMustNotBeWritableByOthers) {
  EXPECT_EQ(Check("/srv/data", TrustedObject::kOwnFolder), "trusted");
  EXPECT_THAT(Check("/srv/data/file", TrustedObject::kOwnFolder), HasSubstr("not a folder"));
  SetMode("/srv/data", 0777);
  EXPECT_THAT(Check("/srv/data", TrustedObject::kOwnFolder), HasSubstr("mode 0777"));
}

TEST_F(TrustedPathTest, AbsentPathIsNotFound) {
  const auto trusted = CheckTrustedBelow(root_fd_.get(), "/srv/no/x", TrustedObject::kAny);
  ASSERT_FALSE(trusted.has_value());
  EXPECT_EQ(trusted.error().code, ErrorCode::kNotFound);
  EXPECT_THAT(trusted.error().message, HasSubstr("'/srv/no'"));
}

TEST_F(TrustedPathTest, FileOnTheWayIsRefused) {
  EXPECT_THAT(Check("/srv/data/file/x"), HasSubstr("'/srv/data/file': it is not a folder"));
}

TEST_F(TrustedPathTest, SpecialFilesAreRefused) {
  ASSERT_EQ(::mkfifo((root_ + "/srv/fifo").c_str(), 0600), 0);
  EXPECT_THAT(Check("/srv/fifo"), HasSubstr("neither a regular file nor a folder"));
  const UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string name = root_ + "/srv/socket";
  ASSERT_LT(name.size(), sizeof address.sun_path);
  name.copy(address.sun_path, name.size());
  ASSERT_EQ(::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  EXPECT_THAT(Check("/srv/socket"), HasSubstr("neither a regular file nor a folder"));
}

TEST_F(TrustedPathTest, OnlyNormalPathsAreLookedAt) {
  using namespace std::string_literals;
  for (const std::string& bad : {""s, "srv"s, "/srv/../srv"s, "/srv/./data"s, "//srv"s, "/srv/"s,
                                 "/srv\0/data"s, "/"s + std::string(5000, 'a')}) {
    const auto trusted = CheckTrustedBelow(root_fd_.get(), bad, TrustedObject::kAny);
    ASSERT_FALSE(trusted.has_value()) << bad;
    EXPECT_EQ(trusted.error().code, ErrorCode::kInvalidArgument) << bad;
  }
}

TEST(TrustedPath, SystemFoldersAreTrustedAndTmpIsNot) {
  EXPECT_TRUE(CheckTrustedPath("/usr").has_value());
  EXPECT_TRUE(CheckTrustedFile("/etc/passwd").has_value());
  EXPECT_TRUE(CheckTrustedFolder("/etc").has_value());
  EXPECT_FALSE(CheckTrustedFolder("/tmp").has_value());
}

}  // namespace
}  // namespace tidewaiter
