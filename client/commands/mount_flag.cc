#include "client/commands/mount_flag.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <vector>

#include "base/printable.h"
#include "client/commands/quantity_text.h"

namespace tidewaiter::cli {
namespace {

Error BadMount(std::string_view text, std::string_view cause) {
  return Fail(ErrorCode::kInvalidArgument, fmt::format("read mount {}: {}", Quoted(text), cause));
}

// One record of RFC 4180. Empty: a quote is open or stands in the middle of a field.
std::optional<std::vector<std::string>> SplitCsv(std::string_view text) {
  std::vector<std::string> fields(1);
  bool quoted = false;
  bool closed = false;  // a quoted field has ended; only a comma may follow
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quoted && c == '"' && text.substr(i + 1).starts_with('"')) {
      fields.back() += '"';
      ++i;
    } else if (quoted && c == '"') {
      quoted = false;
      closed = true;
    } else if (quoted) {
      fields.back() += c;
    } else if (c == ',') {
      fields.emplace_back();
      closed = false;
    } else if (closed || (c == '"' && !fields.back().empty())) {
      return std::nullopt;
    } else if (c == '"') {
      quoted = true;
    } else {
      fields.back() += c;
    }
  }
  if (quoted) return std::nullopt;
  return fields;
}

std::optional<bool> ParseBool(std::string_view text) {
  if (text == "true" || text == "1") return true;
  if (text == "false" || text == "0") return false;
  return std::nullopt;
}

// The fields of --mount before they become one message, since `type` may come last.
struct MountFields {
  std::string type = "volume";
  std::string source;
  std::string target;
  bool read_only = false;
  std::optional<std::int64_t> tmpfs_size;
};

Result<void> ApplyField(std::string_view field, MountFields& mount) {
  const std::size_t equals = field.find('=');
  const std::string_view key = field.substr(0, equals);
  const bool has_value = equals != std::string_view::npos;
  const std::string_view value = has_value ? field.substr(equals + 1) : std::string_view();
  if (key == "readonly" || key == "ro") {
    const std::optional<bool> read_only = has_value ? ParseBool(value) : true;
    if (!read_only) return BadMount(field, "readonly is true or false");
    mount.read_only = *read_only;
    return Ok();
  }
  if (!has_value) return BadMount(field, "expected name=value");
  if (key == "type") {
    mount.type = std::string(value);
  } else if (key == "source" || key == "src") {
    mount.source = std::string(value);
  } else if (key == "target" || key == "dst" || key == "destination") {
    mount.target = std::string(value);
  } else if (key == "tmpfs-size") {
    TW_ASSIGN(mount.tmpfs_size, ParseByteSize(value));
  } else {
    return BadMount(field,
                    "no such field; there are type, source, target, readonly and tmpfs-size");
  }
  return Ok();
}

Result<v1::Mount> Build(const MountFields& fields, std::string_view text) {
  v1::Mount mount;
  mount.set_target(fields.target);
  mount.set_read_only(fields.read_only);
  if (fields.target.empty()) return BadMount(text, "it has no target");
  if (fields.type == "tmpfs") {
    if (!fields.source.empty()) return BadMount(text, "a tmpfs has no source");
    mount.mutable_tmpfs();
    if (fields.tmpfs_size) mount.mutable_tmpfs()->set_size_bytes(*fields.tmpfs_size);
    return mount;
  }
  if (fields.tmpfs_size) return BadMount(text, "tmpfs-size needs type=tmpfs");
  if (fields.source.empty()) return BadMount(text, "it has no source");
  if (fields.type == "bind") {
    mount.mutable_bind()->set_source(fields.source);
  } else if (fields.type == "volume") {
    mount.mutable_volume()->set_name(fields.source);
  } else if (fields.type == "input") {
    mount.mutable_input()->set_name(fields.source);
  } else if (fields.type == "output") {
    mount.mutable_output()->set_name(fields.source);
  } else {
    return BadMount(text, "type is bind, tmpfs, volume, input or output");
  }
  return mount;
}

}  // namespace

Result<v1::Mount> ParseMountFlag(std::string_view text) {
  const auto split = SplitCsv(text);
  if (!split) return BadMount(text, "a quoted field ends with a quote, then a comma");
  MountFields fields;
  for (const std::string& field : *split) {
    const auto applied = ApplyField(field, fields);
    if (!applied) return applied.error();
  }
  return Build(fields, text);
}

Result<v1::Mount> ParseVolumeFlag(std::string_view text) {
  constexpr std::string_view kForm = "expected SOURCE:TARGET or SOURCE:TARGET:ro";
  const std::size_t first = text.find(':');
  if (first == std::string_view::npos) return BadMount(text, kForm);
  std::string_view target = text.substr(first + 1);
  MountFields fields;
  fields.source = std::string(text.substr(0, first));
  fields.type = fields.source.find('/') == std::string::npos ? "volume" : "bind";
  if (const std::size_t second = target.find(':'); second != std::string_view::npos) {
    const std::string_view mode = target.substr(second + 1);
    if (mode != "ro" && mode != "rw") return BadMount(text, "the mode is ro or rw");
    fields.read_only = mode == "ro";
    target = target.substr(0, second);
  }
  fields.target = std::string(target);
  return Build(fields, text);
}

Result<v1::Mount> ParseTmpfsFlag(std::string_view text) {
  const std::size_t colon = text.find(':');
  MountFields fields;
  fields.type = "tmpfs";
  fields.target = std::string(text.substr(0, colon));
  std::string_view options =
      colon == std::string_view::npos ? std::string_view() : text.substr(colon + 1);
  while (!options.empty()) {
    const std::size_t end = std::min(options.find(','), options.size());
    const std::string_view option = options.substr(0, end);
    options.remove_prefix(std::min(end + 1, options.size()));
    if (option.starts_with("size=")) {
      TW_ASSIGN(fields.tmpfs_size, ParseByteSize(option.substr(5)));
    } else if (option == "ro" || option == "rw") {
      fields.read_only = option == "ro";
    } else if (option != "noexec" && option != "nosuid" && option != "nodev") {
      return BadMount(text, "options are size=BYTES, ro, rw; noexec, nosuid and nodev always hold");
    }
  }
  return Build(fields, text);
}

}  // namespace tidewaiter::cli
