#include "extract/entry_path.h"

#include <fmt/format.h>

#include "base/printable.h"

namespace tidewaiter::extract {
namespace {

constexpr std::size_t kMaxComponent = 255;  // NAME_MAX of every Linux file system that matters

Expected<void> CheckBytes(std::string_view name) {
  if (name.empty()) return Refuse(Code::kEmptyName, "an entry without a name");
  if (name.find('\0') != std::string_view::npos) {
    return Refuse(Code::kNul, "a name with a NUL byte", Printable(name));
  }
  if (HasControl(name)) {
    return Refuse(Code::kControl, "a name with a control character", Printable(name));
  }
  if (!IsUtf8(name)) return Refuse(Code::kNotUtf8, "a name that is not UTF-8", Printable(name));
  if (name.front() == '/') return Refuse(Code::kAbsolute, "an absolute path", Printable(name));
  return {};
}

Expected<void> CheckComponent(std::string_view component, std::string_view name) {
  if (component == "..") {
    return Refuse(Code::kDotDot, "a path that climbs by '..'", Printable(name));
  }
  if (component.size() > kMaxComponent) {
    return Refuse(
        Code::kComponentTooLong,
        fmt::format("a component of {} bytes: at most {}", component.size(), kMaxComponent),
        Printable(name));
  }
  return {};
}

}  // namespace

Expected<std::string> ToEntryPath(std::string_view name, bool is_folder, const Limits& limits) {
  if (auto sound = CheckBytes(name); !sound) return tl::unexpected(sound.error());
  // Programs hand the kernel what is dropped here, and fail where that is too much for it.
  if (name.size() / 2 > limits.max_path) {
    return Refuse(Code::kPathTooLong,
                  fmt::format("a name of {} bytes: at most twice the {} of a path", name.size(),
                              limits.max_path),
                  Printable(name));
  }
  std::string_view rest = name;
  std::string path;
  std::size_t depth = 0;
  while (true) {
    const std::size_t slash = rest.find('/');
    const std::string_view component = rest.substr(0, slash);
    if (auto sound = CheckComponent(component, name); !sound) return tl::unexpected(sound.error());
    if (!component.empty() && component != ".") {
      if (!path.empty()) path += '/';
      path += component;
      ++depth;
    }
    if (slash == std::string_view::npos) break;
    rest.remove_prefix(slash + 1);
  }
  if (!is_folder && (path.empty() || rest.empty())) {
    return Refuse(Code::kEmptyName, "a file without a name of its own", Printable(name));
  }
  // GNU tar and Python's tarfile make a folder "a" of a file "a/." and then fail at the file.
  if (!is_folder && rest == ".") {
    return Refuse(Code::kAmbiguous, "a file whose name ends in '.', as a folder's may",
                  Printable(name));
  }
  if (path.size() > limits.max_path) {
    return Refuse(Code::kPathTooLong,
                  fmt::format("a path of {} bytes: at most {}", path.size(), limits.max_path),
                  Printable(name));
  }
  if (depth > limits.max_depth) {
    return Refuse(Code::kTooDeep,
                  fmt::format("a path of {} components: at most {}", depth, limits.max_depth),
                  Printable(name));
  }
  return path;
}

}  // namespace tidewaiter::extract
