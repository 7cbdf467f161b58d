#include "client/connection.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <string>
#include <thread>

#include "base/unique_fd.h"

namespace tidewaiter::client {
namespace {

using ::testing::HasSubstr;

class ConnectionTest : public ::testing::Test {
 protected:
  ConnectionTest() {
    std::string pattern = ::testing::TempDir() + "connXXXXXX";
    folder_ = ::mkdtemp(pattern.data());
  }
  ~ConnectionTest() override { std::filesystem::remove_all(folder_); }

  [[nodiscard]] std::string Path(const std::string& name) const { return folder_ + "/" + name; }

  static UniqueFd Bind(const std::string& path, bool listening) {
    UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.data(), path.size());
    EXPECT_EQ(::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
    if (listening) {
      EXPECT_EQ(::listen(fd.get(), 8), 0);
    }
    return fd;
  }

  static Error Refusal(const std::string& path, int milliseconds = 5000) {
    const auto opened =
        Connection::Open(path, Deadline::After(std::chrono::milliseconds(milliseconds)));
    EXPECT_FALSE(opened);
    return opened ? Error{} : opened.error();
  }

  std::string folder_;
};

TEST_F(ConnectionTest, SaysThatNoSocketIsThere) {
  const Error error = Refusal(Path("none"));
  EXPECT_EQ(error.reason, "SOCKET_MISSING");
  EXPECT_THAT(error.message, HasSubstr(Path("none")));
}

TEST_F(ConnectionTest, SaysThatNothingAnswers) {
  const UniqueFd bound = Bind(Path("stale"), /*listening=*/false);
  EXPECT_EQ(Refusal(Path("stale")).reason, "SOCKET_REFUSED");
}

TEST_F(ConnectionTest, SaysThatTheBrokerHangsUp) {
  const UniqueFd listener = Bind(Path("closing"), /*listening=*/true);
  std::jthread broker([&listener](const std::stop_token&) {
    while (true) {
      const UniqueFd peer(::accept(listener.get(), nullptr, nullptr));
      if (!peer) return;
    }
  });
  EXPECT_EQ(Refusal(Path("closing")).reason, "CALLER_UNKNOWN");
  ::shutdown(listener.get(), SHUT_RDWR);
}

TEST_F(ConnectionTest, GivesUpOnABrokerThatSaysNothing) {
  const UniqueFd listener = Bind(Path("silent"), /*listening=*/true);
  EXPECT_EQ(Refusal(Path("silent"), 200).reason, "SOCKET_SILENT");
}

TEST_F(ConnectionTest, TakesAPathThatIsNoUriByItself) {
  // "%41" must not become "A", and '?' and '#' must not end the path.
  const std::string path = Path("a%41?b#c");
  const UniqueFd bound = Bind(path, /*listening=*/false);
  EXPECT_EQ(Refusal(path).reason, "SOCKET_REFUSED");
}

TEST_F(ConnectionTest, RefusesAPathThatIsTooLongForASocket) {
  EXPECT_EQ(Refusal("/" + std::string(108, 'a')).code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(Refusal("").code, ErrorCode::kInvalidArgument);
}

}  // namespace
}  // namespace tidewaiter::client
