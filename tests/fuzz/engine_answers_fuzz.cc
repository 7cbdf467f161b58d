// Any bytes as what an engine answers about itself, an image or a container, and as a file of
// registries' credentials. Those that are JSON are also laid over the answer that a hardened
// container gives: what then still conforms is still hardened.

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <ctime>
#include <string>
#include <string_view>
#include <vector>

#include "base/base64.h"
#include "base/printable.h"
#include "broker/docker/conformity.h"
#include "broker/docker/container_state.h"
#include "broker/docker/engine_client.h"
#include "broker/docker/engine_time.h"
#include "broker/docker/image_config.h"
#include "broker/docker/log_driver.h"
#include "broker/registry/registry_auth.h"
#include "broker/registry/tag_check.h"

namespace {

using namespace tidewaiter;

void Require(bool holds) {
  if (!holds) std::abort();
}

void RequirePrintable(const Error& error) {
  Require(IsUtf8(error.message) && !HasControl(error.message));
}

const Json& Body() {
  static const Json body = Json::parse(R"({
    "Image": "sha256:aa", "Cmd": ["run"], "Env": ["A=1"], "User": "1000:1001", "Tty": false,
    "Labels": {"io.tidewaiter.run": "r"}, "WorkingDir": "/work", "Healthcheck": {"Test": ["NONE"]},
    "HostConfig": {
      "CapAdd": ["CHOWN"], "CapDrop": ["ALL"], "SecurityOpt": ["no-new-privileges"],
      "NetworkMode": "none", "IpcMode": "none", "ReadonlyRootfs": true, "Privileged": false,
      "Memory": 67108864, "PidsLimit": 32, "Ulimits": [{"Name": "nofile", "Soft": 1, "Hard": 1}],
      "Mounts": [{"Type": "bind", "Source": "/srv", "Target": "/data", "ReadOnly": true}]}})");
  return body;
}

const Json& Conforming() {
  static const Json view = [] {
    Json json = Json::parse(R"({
      "Id": "cc", "Name": "/tw", "Image": "sha256:aa", "Path": "run", "Args": [],
      "Mounts": [{"Type": "bind", "Source": "/srv", "Destination": "/data", "RW": false,
                  "Propagation": "rprivate"}],
      "NetworkSettings": {"Networks": {"none": {}}}})");
    json["Config"] = Body();
    json["Config"].erase("HostConfig");
    json["HostConfig"] = Body()["HostConfig"];
    json["HostConfig"].update({{"MaskedPaths", {"/proc/kcore"}}, {"ReadonlyPaths", {"/proc/sys"}}});
    return json;
  }();
  return view;
}

// Whatever else it says.
bool IsHardened(const Json& view) {
  const Json& host = At(view, {"HostConfig"});
  const Json& config = At(view, {"Config"});
  const Json& added = At(host, {"CapAdd"});
  const Json& mounts = At(view, {"Mounts"});
  if (mounts.size() != 1) return false;
  const Json& mount = *mounts.begin();
  return At(view, {"Id"}) == "cc" && At(view, {"Path"}) == "run" && At(view, {"Args"}).empty() &&
         At(config, {"User"}) == "1000:1001" && At(config, {"Env"}) == Json{"A=1"} &&
         At(config, {"Tty"}) != true && (added == Json{"CHOWN"} || added == Json{"CAP_CHOWN"}) &&
         At(host, {"CapDrop"}) == Json{"ALL"} && At(host, {"SecurityOpt"}).size() == 1 &&
         At(host, {"NetworkMode"}) == "none" && At(host, {"IpcMode"}) == "none" &&
         At(host, {"ReadonlyRootfs"}) == true && At(host, {"Privileged"}) != true &&
         At(host, {"Memory"}) == 67108864 && At(host, {"PidsLimit"}) == 32 &&
         TextAt(host, "PidMode").empty() && TextAt(host, "UsernsMode").empty() &&
         AsStrings(At(host, {"Binds"})).value_or(std::vector<std::string>{}).empty() &&
         TextAt(mount, "Source") == "/srv" && At(mount, {"RW"}) == false;
}

void CheckConformity(const Json& patch) {
  docker::ImageConfig image;
  image.id = "sha256:aa";
  const docker::Expected expected{
      .body = Body(), .image = image, .container_id = "cc", .name = "tw", .network_name = "none"};
  Json view = Conforming();
  Require(docker::CheckConformity(expected, view).has_value() && IsHardened(view));
  view.merge_patch(patch);
  const Result<void> conforms = docker::CheckConformity(expected, view);
  if (!conforms) return RequirePrintable(conforms.error());
  Require(IsHardened(view));
}

void CheckState(const Json& inspect) {
  using State = run::Adopted::State;
  const run::Adopted state = docker::ReadContainerState(inspect);
  const Json& status = At(inspect, {"State", "Status"});
  Require((state.state == State::kEnded) == (status == "exited" || status == "dead"));
  Require((state.state == State::kCreated) == (status == "created"));
  Require(!state.finished_at || state.state == State::kEnded);
  Require(state.start_error.empty() || state.state == State::kCreated);
  // Where that overflows, the sanitizer says so.
  if (state.finished_at && state.started_at) {
    static_cast<void>(*state.finished_at - *state.started_at);
  }
}

void CheckTime(std::string_view text) {
  const auto time = docker::ParseEngineTime(text);
  if (!time) return;
  // As the C library says it, by the same clock.
  const std::size_t zone = text.find_first_of("Z+-", 11);
  const auto local = docker::ParseEngineTime(std::string(text.substr(0, zone)) + "Z");
  Require(local && std::chrono::abs(*local - *time) < std::chrono::hours(24));
  const std::int64_t nanos = local->time_since_epoch().count();
  const std::time_t seconds = nanos / 1'000'000'000;
  std::tm parts{};
  Require(::gmtime_r(&seconds, &parts) != nullptr);
  std::array<char, 64> shown{};
  const std::size_t size = std::strftime(shown.data(), shown.size(), "%Y-%m-%dT%H:%M:%S.", &parts);
  const std::string fraction = std::to_string(1'000'000'000 + nanos % 1'000'000'000).substr(1);
  Require((std::string(shown.data(), size) + fraction).starts_with(text.substr(0, zone)));
  if (nanos > 0) Require(docker::SinceText(*local) == std::to_string(seconds) + "." + fraction);
}

void CheckImage(const Json& inspect) {
  const auto image = docker::ReadImageConfig(inspect);
  if (!image) return RequirePrintable(image.error());
  if (const auto used = docker::CheckImage(*image, {}); !used) RequirePrintable(used.error());
  const std::string digest = docker::DigestFrom(
      *image, {.registry = "docker.io", .repository = "library/a", .tag = {}, .digest = {}});
  bool known = digest.empty();
  for (const std::string& one : image->repo_digests) known = known || one.ends_with("@" + digest);
  Require(known);
}

void CheckCredentials(std::string_view text) {
  const auto auth = registry::RegistryAuth::Parse(text);
  if (!auth) return RequirePrintable(auth.error());
  const auto found = auth->For("docker.io");
  if (!found) RequirePrintable(found.error());
}

void CheckBase64(std::string_view text) {
  const auto plain = DecodeBase64(text);
  if (!plain) return;
  const std::string encoded = EncodeBase64(*plain);
  Require(encoded == text || encoded.substr(0, encoded.find('=')) == text);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  // The text of bytes is what a char is for.
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto version = docker::ReadEngineVersion(text);
  if (!version) RequirePrintable(version.error());
  CheckCredentials(text);
  CheckBase64(text);
  CheckTime(text);
  static_cast<void>(registry::IndexLists(text, "sha256:aa"));
  const auto json = ParseJson(text);
  if (!json) return 0;
  CheckState(*json);
  CheckImage(*json);
  CheckConformity(*json);
  static_cast<void>(docker::SafeLogBytes(At(*json, {"HostConfig", "LogConfig"})));
  return 0;
}
