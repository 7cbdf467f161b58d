#include "broker/docker/conformity.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "base/printable.h"

namespace tidewaiter::docker {
namespace {

constexpr std::size_t kMaxShown = 100;

// What the engine writes for "not set", in any of its spellings.
bool IsNeutral(const Json& value) {
  if (value.is_null()) return true;
  if (value.is_boolean()) return value == false;
  if (value.is_number()) return value == 0;
  if (value.is_string()) return value == "";
  if (value.is_array()) return value.empty();
  return std::all_of(value.begin(), value.end(), IsNeutral);
}

// Equality but for members that say "not set", and for how they say so.
bool Alike(const Json& a, const Json& b) {
  if (IsNeutral(a) && IsNeutral(b)) return true;
  if (a.is_array() && b.is_array()) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(), Alike);
  }
  if (!a.is_object() || !b.is_object()) return a == b;
  const auto covers = [](const Json& some, const Json& other) {
    for (const auto& [key, value] : some.items()) {
      if (!Alike(value, At(other, {key}))) return false;
    }
    return true;
  };
  return covers(a, b) && covers(b, a);
}

std::string Shown(const Json& value) {
  return Printable(value.dump(-1, ' ', true, Json::error_handler_t::replace), kMaxShown);
}

std::string Counted(const Json& value) {
  return value.is_array() || value.is_object() ? std::to_string(value.size()) + " entries"
                                               : "another value";
}

// The same list in any order, each entry in a canonical spelling. Nothing where it is no list of
// strings.
template <typename Canonical>
std::optional<std::multiset<std::string>> Bag(const Json& list, Canonical canonical) {
  const auto texts = AsStrings(list);
  if (!texts) return std::nullopt;
  std::multiset<std::string> bag;
  for (const std::string& text : *texts) bag.insert(canonical(text));
  return bag;
}

std::string Plain(const std::string& text) {
  return text;
}

// Engines since 23 answer "CAP_CHOWN" where "CHOWN" was asked for.
std::string CapabilityName(const std::string& text) {
  return text.starts_with("CAP_") ? text.substr(4) : text;
}

std::string SecurityOption(const std::string& text) {
  if (text == "no-new-privileges:true" || text == "no-new-privileges=true") {
    return "no-new-privileges";
  }
  return text;
}

Result<void> Verdict(const std::string& subject, const std::vector<Difference>& differences) {
  constexpr std::size_t kMaxNamed = 5;
  if (differences.empty()) return Ok();
  std::string message = "compare " + subject + " with what was admitted: ";
  for (std::size_t i = 0; i < std::min(differences.size(), kMaxNamed); ++i) {
    const Difference& difference = differences[i];
    if (i > 0) message += "; ";
    message +=
        Printable(difference.field) + " is " + difference.got + ", not " + difference.expected;
  }
  if (differences.size() > kMaxNamed) {
    message += "; and " + std::to_string(differences.size() - kMaxNamed) + " more";
  }
  return Fail(ErrorCode::kFailedPrecondition, std::move(message), "ENGINE_DIFFERS");
}

class Comparison {
 public:
  Comparison(const Expected& expected, const Json& inspect)
      : expected_(expected), inspect_(inspect) {}

  std::vector<Difference> Run() {
    CompareIdentity();
    CompareConfig();
    CompareHostConfig();
    CompareMounts();
    CompareNetworks();
    return std::move(differences_);
  }

 private:
  void Differ(std::string field, const Json& expected, const Json& got) {
    differences_.push_back(
        {.field = std::move(field), .expected = Shown(expected), .got = Shown(got)});
  }
  void DifferUnseen(std::string field, const Json& expected, const Json& got) {
    differences_.push_back(
        {.field = std::move(field), .expected = Counted(expected), .got = Counted(got)});
  }
  void Same(const std::string& field, const Json& expected, const Json& got) {
    if (!Alike(expected, got)) Differ(field, expected, got);
  }
  void SameUnseen(const std::string& field, const Json& expected, const Json& got) {
    if (!Alike(expected, got)) DifferUnseen(field, expected, got);
  }

  void CompareIdentity() {
    Same("Id", expected_.container_id, At(inspect_, {"Id"}));
    Same("Name", std::string("/").append(expected_.name), At(inspect_, {"Name"}));
    Same("Image", expected_.image.id, At(inspect_, {"Image"}));
    if (TextAt(inspect_, "AppArmorProfile") == "unconfined") {
      Differ("AppArmorProfile", "", "unconfined");
    }
  }

  void CompareConfig();
  void CompareArguments();
  void CompareVolumes(const Json& volumes);
  [[nodiscard]] Json ExpectedEnv() const;
  void CompareHostConfig();
  void CompareHostField(const std::string& key, const Json& asked, const Json& got);
  void CompareUnasked(const std::string& key, const Json& got);
  void CompareMounts();
  void CompareNetworks();

  const Expected& expected_;
  const Json& inspect_;
  std::vector<Difference> differences_;
};

// The image's variables, overridden by the run's.
Json Comparison::ExpectedEnv() const {
  std::map<std::string, std::string> by_name;
  const auto add = [&by_name](const std::string& entry) {
    by_name[entry.substr(0, entry.find('='))] = entry;
  };
  for (const std::string& entry : expected_.image.env) add(entry);
  for (const Json& entry : At(expected_.body, {"Env"})) add(AsString(entry).value_or(""));
  Json env = Json::array();
  for (const auto& [name, entry] : by_name) env.push_back(entry);
  return env;
}

void Comparison::CompareConfig() {
  // What an image may bring along and nothing acts on: no port is published, and the broker sends
  // its own signals.
  static const std::set<std::string> kHarmless{"ExposedPorts", "StopSignal", "Shell", "OnBuild",
                                               "ArgsEscaped"};
  static const std::set<std::string> kSpecial{"Cmd",    "Entrypoint", "Env",        "HostConfig",
                                              "Labels", "Volumes",    "WorkingDir", "Healthcheck"};
  const Json& config = At(inspect_, {"Config"});
  if (!config.is_object()) return Differ("Config", Json::object(), config);
  for (const auto& [key, asked] : expected_.body.items()) {
    if (!kSpecial.contains(key)) Same("Config." + key, asked, At(config, {key}));
  }
  for (const auto& [key, got] : config.items()) {
    const bool known =
        kSpecial.contains(key) || kHarmless.contains(key) || expected_.body.contains(key);
    if (!known && !IsNeutral(got)) Differ("Config." + key, nullptr, got);
  }
  const Json env = ExpectedEnv();
  if (Bag(env, Plain) != Bag(At(config, {"Env"}), Plain)) {
    DifferUnseen("Config.Env", env, At(config, {"Env"}));
  }
  Json labels = expected_.image.labels;
  labels.update(At(expected_.body, {"Labels"}));
  SameUnseen("Config.Labels", labels, At(config, {"Labels"}));
  Same("Config.Healthcheck.Test", At(expected_.body, {"Healthcheck", "Test"}),
       At(config, {"Healthcheck", "Test"}));
  const Json& asked_dir = At(expected_.body, {"WorkingDir"});
  const std::filesystem::path dir(AsString(asked_dir).value_or(expected_.image.working_dir));
  const auto cleaned = [](const std::filesystem::path& path) {
    std::string text = path.lexically_normal().string();
    while (text.size() > 1 && text.back() == '/') text.pop_back();
    return text;
  };
  Same("Config.WorkingDir", cleaned(dir), cleaned(TextAt(config, "WorkingDir")));
  CompareVolumes(At(config, {"Volumes"}));
  CompareArguments();
}

void Comparison::CompareVolumes(const Json& volumes) {
  if (IsNeutral(volumes) && !volumes.is_object()) return;
  const std::vector<std::string>& declared = expected_.image.volumes;
  if (!volumes.is_object()) return Differ("Config.Volumes", nullptr, volumes);
  for (const auto& [path, ignored] : volumes.items()) {
    if (std::find(declared.begin(), declared.end(), path) == declared.end()) {
      Differ("Config.Volumes", declared, path);
    }
  }
}

// What will really be executed, in both places where the engine shows it.
void Comparison::CompareArguments() {
  const ImageConfig& image = expected_.image;
  const Json& asked = At(expected_.body, {"Cmd"});
  Json entrypoint =
      !asked.is_null() ? Json::array() : (image.entrypoint ? Json(*image.entrypoint) : Json());
  Json command = !asked.is_null() ? asked : (image.command ? Json(*image.command) : Json());
  SameUnseen("Config.Entrypoint", entrypoint, At(inspect_, {"Config", "Entrypoint"}));
  SameUnseen("Config.Cmd", command, At(inspect_, {"Config", "Cmd"}));

  Json argv = Json::array();
  for (const Json& part : {entrypoint, command}) {
    for (const Json& argument : part) argv.push_back(argument);
  }
  Json got = Json::array({At(inspect_, {"Path"})});
  if (const Json& args = At(inspect_, {"Args"}); args.is_array()) {
    got.insert(got.end(), args.begin(), args.end());
  }
  SameUnseen("Args", argv, got);
}

void Comparison::CompareHostConfig() {
  const Json& asked = At(expected_.body, {"HostConfig"});
  const Json& host = At(inspect_, {"HostConfig"});
  if (!host.is_object()) return Differ("HostConfig", Json::object(), host);
  for (const auto& [key, value] : asked.items()) CompareHostField(key, value, At(host, {key}));
  for (const auto& [key, value] : host.items()) {
    if (!asked.contains(key)) CompareUnasked(key, value);
  }
  // The kernel's files that the engine hides by default; an administrator's or attacker's empty
  // list shows them.
  const auto holds = [&host](std::string_view list, const std::string& path) {
    const auto paths = AsStrings(At(host, {list}));
    return paths && std::find(paths->begin(), paths->end(), path) != paths->end();
  };
  if (!holds("MaskedPaths", "/proc/kcore")) {
    Differ("HostConfig.MaskedPaths", "the engine's default", At(host, {"MaskedPaths"}));
  }
  if (!holds("ReadonlyPaths", "/proc/sys")) {
    Differ("HostConfig.ReadonlyPaths", "the engine's default", At(host, {"ReadonlyPaths"}));
  }
}

void Comparison::CompareHostField(const std::string& key, const Json& asked, const Json& got) {
  const std::string field = "HostConfig." + key;
  if (key == "CapAdd" || key == "CapDrop") {
    if (Bag(asked, CapabilityName) != Bag(got, CapabilityName)) Differ(field, asked, got);
  } else if (key == "SecurityOpt") {
    if (Bag(asked, SecurityOption) != Bag(got, SecurityOption)) Differ(field, asked, got);
  } else if (key == "NetworkMode") {
    const std::string mode = AsString(got).value_or("");
    if (mode != asked && mode != expected_.network_name) Differ(field, asked, got);
  } else if (key == "Ulimits" && got.is_array() && got.size() == asked.size()) {
    for (const Json& limit : asked) {
      const bool found = std::any_of(got.begin(), got.end(),
                                     [&limit](const Json& other) { return Alike(limit, other); });
      if (!found) Differ(field, asked, got);
    }
  } else {
    Same(field, asked, got);
  }
}

void Comparison::CompareUnasked(const std::string& key, const Json& got) {
  // The first is the engine's default runtime, where the run names none; the second and third are
  // checked above.
  static const std::set<std::string> kEngines{"Runtime", "MaskedPaths", "ReadonlyPaths"};
  const bool console = key == "ConsoleSize" && got == Json::array({0, 0});
  const bool isolation = key == "Isolation" && got == "default";
  if (kEngines.contains(key) || console || isolation || IsNeutral(got)) return;
  Differ("HostConfig." + key, nullptr, got);
}

// The mount table proper: exactly the binds. A tmpfs of HostConfig.Tmpfs is not in it, a volume
// would be.
void Comparison::CompareMounts() {
  const Json& got = At(inspect_, {"Mounts"});
  std::map<std::string, Json> by_target;
  for (const Json& mount : got) by_target[TextAt(mount, "Destination")] = mount;
  const Json& asked = At(expected_.body, {"HostConfig", "Mounts"});
  if (got.size() != asked.size() || by_target.size() != asked.size()) {
    return Differ("Mounts", asked, got);
  }
  for (const Json& bind : asked) {
    const Json& mount = by_target[TextAt(bind, "Target")];
    const bool same =
        TextAt(mount, "Type") == "bind" && TextAt(mount, "Source") == TextAt(bind, "Source") &&
        AsBool(At(mount, {"RW"})) == !AsBool(At(bind, {"ReadOnly"})).value_or(false) &&
        TextAt(mount, "Propagation") == "rprivate";
    if (!same) Differ("Mounts[" + TextAt(bind, "Target") + "]", bind, mount);
  }
}

void Comparison::CompareNetworks() {
  const Json& networks = At(inspect_, {"NetworkSettings", "Networks"});
  const bool only = networks.is_object() && networks.size() == 1 &&
                    networks.contains(std::string(expected_.network_name));
  if (!only) Differ("NetworkSettings.Networks", expected_.network_name, networks);
}

}  // namespace

std::vector<Difference> Compare(const Expected& expected, const Json& inspect) {
  return Comparison(expected, inspect).Run();
}

Result<void> CheckConformity(const Expected& expected, const Json& inspect) {
  return Verdict("container " + Quoted(expected.name), Compare(expected, inspect));
}

Result<void> CheckNetworkConformity(const Json& body, std::string_view network_id,
                                    const Json& inspect) {
  std::vector<Difference> differences;
  const auto same = [&](const std::string& field, const Json& expected, const Json& got) {
    if (Alike(expected, got)) return;
    differences.push_back({.field = field, .expected = Shown(expected), .got = Shown(got)});
  };
  same("Id", network_id, At(inspect, {"Id"}));
  for (const auto& [key, value] : body.items()) {
    if (key != "CheckDuplicate") same(key, value, At(inspect, {key}));  // not a property of it
  }
  for (const std::string_view key : {"EnableIPv6", "Ingress", "ConfigOnly", "Containers"}) {
    same(std::string(key), nullptr, At(inspect, {key}));
  }
  return Verdict("network " + Quoted(TextAt(body, "Name")), differences);
}

}  // namespace tidewaiter::docker
