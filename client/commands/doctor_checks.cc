#include "client/commands/doctor_checks.h"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/timex.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <ctime>

#include "base/printable.h"
#include "base/trusted_path.h"
#include "client/commands/broker_user.h"
#include "client/commands/files.h"
#include "client/commands/quantity_text.h"
#include "policy/policy_set.h"

namespace tidewaiter::cli {
namespace {

// An audit log and the journals of some runs need little; less than this is a full disk soon.
constexpr std::int64_t kLeastFreeBytes = std::int64_t{256} << 20;
// A file may be that much younger than now: clocks of file servers differ.
constexpr std::int64_t kClockSlackSeconds = 60;

using State = CheckLine::State;

std::string ModeText(const struct stat& status) {
  return fmt::format("mode {:04o}, uid {}, gid {}", status.st_mode & 07777U, status.st_uid,
                     status.st_gid);
}

// The state folder is the broker's own. Before its first start there is none.
uid_t BrokerUser(const std::string& state_dir) {
  struct stat status {};
  if (::lstat(state_dir.c_str(), &status) == 0) return status.st_uid;
  return FindBrokerUser("").value_or(::geteuid());
}

CheckLine CheckPolicy(const std::string& name, const std::string& path, uid_t broker) {
  CheckLine line{name, State::kFail, {}};
  const auto content = ReadFile(path, config::kMaxFileBytes);
  if (!content) {
    line.detail = content.error().message;
    return line;
  }
  const auto set = policy::PolicySet::Parse(*content, path);
  if (!set) {
    line.detail = set.error().message;
    return line;
  }
  if (const auto trusted = CheckTrustedFile(path, broker); !trusted && !(*set)->development()) {
    line.detail = trusted.error().message + "; only root and the broker may be able to write it";
    return line;
  }
  line.state = State::kOk;
  line.detail = fmt::format("{}: {} principal{}{}", path, (*set)->principals().size(),
                            (*set)->principals().size() == 1 ? "" : "s",
                            (*set)->development() ? ", development mode: not for production" : "");
  return line;
}

// `forbidden`: permission bits that must not be set.
CheckLine CheckFolder(const std::string& name, const std::string& path, mode_t forbidden) {
  struct stat status {};
  if (::lstat(path.c_str(), &status) != 0) {
    return {name, State::kFail,
            fmt::format("stat {}: {}; the broker makes it at its first start", Quoted(path),
                        std::strerror(errno))};
  }
  if (!S_ISDIR(status.st_mode)) {
    return {name, State::kFail, fmt::format("{}: no folder", path)};
  }
  if ((status.st_mode & forbidden) != 0) {
    return {name, State::kFail,
            fmt::format("{}: {}; others reach it: chmod {:04o}", path, ModeText(status),
                        status.st_mode & 07777U & ~forbidden)};
  }
  return {name, State::kOk, fmt::format("{}: {}", path, ModeText(status))};
}

CheckLine CheckRoom(const std::string& name, const std::string& path) {
  struct statvfs room {};
  if (::statvfs(path.c_str(), &room) != 0) {
    return {name, State::kFail,
            fmt::format("ask for the room at {}: {}", Quoted(path), std::strerror(errno))};
  }
  const auto free_bytes = static_cast<std::int64_t>(room.f_bavail * room.f_frsize);
  if (free_bytes < kLeastFreeBytes) {
    return {name, State::kFail,
            fmt::format("{}: {} free, less than {}: make room, or no run is admitted", path,
                        FormatBytes(free_bytes), FormatBytes(kLeastFreeBytes))};
  }
  if (room.f_files > 0 && room.f_favail == 0) {
    return {name, State::kFail, fmt::format("{}: no inode is free", path)};
  }
  return {name, State::kOk, fmt::format("{}: {} free", path, FormatBytes(free_bytes))};
}

// Audit records carry the wall clock: a clock that runs behind its own files has been set back.
CheckLine CheckClock(const std::vector<std::string>& files) {
  const std::time_t now = std::time(nullptr);
  for (const std::string& path : files) {
    struct stat status {};
    if (::stat(path.c_str(), &status) != 0) continue;
    if (status.st_mtime > now + kClockSlackSeconds) {
      return {"clock", State::kFail,
              fmt::format("{:%Y-%m-%dT%H:%M:%SZ} is before the last change of {}: set the clock",
                          fmt::gmtime(now), path)};
    }
  }
  timex state{};
  const bool synchronised = ::adjtimex(&state) >= 0 && (state.status & STA_UNSYNC) == 0;
  return {"clock", State::kOk,
          fmt::format("{:%Y-%m-%dT%H:%M:%SZ}, {}", fmt::gmtime(now),
                      synchronised ? "synchronised" : "not synchronised by the kernel's account")};
}

}  // namespace

std::optional<config::BrokerConfig> CheckConfig(const std::string& path, bool named,
                                                std::vector<CheckLine>& lines) {
  const auto content = ReadFile(path, config::kMaxFileBytes);
  if (!content && content.error().code == ErrorCode::kNotFound && !named) {
    lines.push_back({"configuration", State::kSkipped,
                     fmt::format("no {} here; --config names another", path)});
    return std::nullopt;
  }
  if (!content) {
    lines.push_back({"configuration", State::kFail, content.error().message});
    return std::nullopt;
  }
  auto config = config::ParseBrokerConfig(*content, path);
  if (!config) {
    lines.push_back({"configuration", State::kFail, config.error().message});
    return std::nullopt;
  }
  lines.push_back({"configuration", State::kOk, path});
  return *std::move(config);
}

void CheckHost(const std::string& config_path, const config::BrokerConfig& config,
               std::vector<CheckLine>& lines) {
  const uid_t broker = BrokerUser(config.state_dir);
  lines.push_back(CheckPolicy("policy", config.policy, broker));
  if (::access(config.shadow_policy.c_str(), F_OK) == 0) {
    lines.push_back(CheckPolicy("shadow policy", config.shadow_policy, broker));
  }
  // Journals hold environment values: nobody else may read them. Auditors may read the log.
  lines.push_back(CheckFolder("state folder", config.state_dir, S_IRWXG | S_IRWXO));
  lines.push_back(CheckFolder("audit folder", config.audit_dir, S_IWGRP | S_IRWXO));
  lines.push_back(CheckRoom("state room", config.state_dir));
  lines.push_back(CheckRoom("audit room", config.audit_dir));
  lines.push_back(CheckClock({config_path, config.policy, config.state_dir, config.audit_dir}));
}

void CheckSocket(const std::string& path, std::vector<CheckLine>& lines) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) {
    lines.push_back(
        {"socket", State::kFail,
         fmt::format("stat {}: {}; start tidewaiterd", Quoted(path), std::strerror(errno))});
  } else if (!S_ISSOCK(status.st_mode)) {
    lines.push_back({"socket", State::kFail, fmt::format("{}: no socket", path)});
  } else if (::access(path.c_str(), W_OK) != 0) {
    lines.push_back({"socket", State::kFail,
                     fmt::format("{}: {}; uid {} may not connect: join its group", path,
                                 ModeText(status), ::geteuid())});
  } else {
    lines.push_back({"socket", State::kOk, fmt::format("{}: {}", path, ModeText(status))});
  }
}

}  // namespace tidewaiter::cli
