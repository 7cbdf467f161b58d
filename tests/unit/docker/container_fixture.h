// An admitted run, the body that it becomes, and the answer that an engine (20.10) gives about it.
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "broker/docker/container_config.h"
#include "broker/docker/image_config.h"
#include "tests/support/admitted_run.h"

namespace tidewaiter::docker {

inline const std::string kContainerId(64, 'c');
inline const std::string kNetworkId(64, 'e');
inline const std::string kImageId = "sha256:" + std::string(64, 'a');
inline const RunId kRunId{"aaaaaaaaaaaaaaaaaaaaaaaaaa"};
inline const BrokerId kBrokerId{"bbbbbbbbbbbbbbbbbbbbbbbbbb"};
inline const std::string kName = "tw-aaaaaaaaaaaaaaaaaaaaaaaaaa";

inline policy::RunSpec FullSpec() {
  policy::RunSpec spec;
  spec.image = "registry.example/lab/job:1.0.0@sha256:" + std::string(64, 'd');
  spec.command = {"run", "--fast"};
  spec.env = {{"A", "1"}, {"B", "x=y"}, {"HOME", "/work"}};
  spec.working_dir = "/work";
  spec.user = "1000:1001";
  spec.labels = {{"team", "blue"}};
  spec.limits.memory_bytes = 64 << 20;
  spec.limits.cpu_millis = 1500;
  spec.limits.pids = 32;
  spec.limits.tmpfs_bytes = 1 << 20;
  spec.limits.open_files = 128;
  spec.mounts = {{.target = "/data", .read_only = true, .source = policy::BindMount{"/srv/data"}},
                 {.target = "/tmp", .read_only = false, .source = policy::TmpfsMount{4096}}};
  spec.add_capabilities = {"CHOWN"};
  spec.seccomp_profile = "strict";
  spec.runtime = "runc";
  spec.tenant = {.challenge = "c1", .job = "j1", .task = ""};
  return spec;
}

inline const run::MountSources kSources{.inputs = "/state/in", .outputs = "/state/out"};

inline Json BodyOf(const policy::RunSpec& spec, bool with_stdin = false, bool keeps_log = false) {
  const policy::AdmittedRun admitted = ::tidewaiter::testing::Admit(
      ::tidewaiter::testing::PermissivePolicy("registry.example/lab/*"), spec);
  Result<Json> body =
      ContainerBody({.admitted = admitted,
                     .run_id = kRunId,
                     .broker_id = kBrokerId,
                     .principal = "validator",
                     .image_id = kImageId,
                     .network_id = kNetworkId,
                     .seccomp_profile = spec.seccomp_profile.empty() ? "" : R"({"x":1})",
                     .sources = kSources,
                     .with_stdin = with_stdin,
                     .keeps_log = keeps_log});
  EXPECT_TRUE(body.has_value());
  return body ? *std::move(body) : Json();
}

inline ImageConfig TestImage() {
  ImageConfig image;
  image.id = kImageId;
  image.entrypoint = {"/entry"};
  image.command = {"default"};
  image.env = {"PATH=/bin", "A=image"};
  image.working_dir = "/image/";
  image.labels = {{"org", "someone"}};
  image.os = "linux";
  return image;
}

// What GET /containers/ID/json answers for FullSpec: what was asked, and what an engine adds.
inline Json EngineView(const Json& body) {
  Json config = body;
  config.erase("HostConfig");
  config["Env"] = {"A=1", "B=x=y", "HOME=/work", "PATH=/bin"};
  config["Domainname"] = "";
  config["Volumes"] = nullptr;
  config["OnBuild"] = nullptr;
  config["Labels"]["org"] = "someone";
  Json host = body["HostConfig"];
  host["MaskedPaths"] = {"/proc/kcore", "/proc/keys"};
  host["ReadonlyPaths"] = {"/proc/sys"};
  host["ConsoleSize"] = {0, 0};
  host["Binds"] = nullptr;
  host["Devices"] = nullptr;
  host["PidMode"] = "";
  host["UsernsMode"] = "";
  host["OomScoreAdj"] = 0;
  return {{"Id", kContainerId},
          {"Name", "/" + kName},
          {"Image", kImageId},
          {"Path", "run"},
          {"Args", {"--fast"}},
          {"AppArmorProfile", ""},
          {"Config", config},
          {"HostConfig", host},
          {"Mounts",
           {{{"Type", "bind"},
             {"Source", "/srv/data"},
             {"Destination", "/data"},
             {"RW", false},
             {"Propagation", "rprivate"}}}},
          {"NetworkSettings", {{"Networks", {{"none", Json::object()}}}}}};
}

}  // namespace tidewaiter::docker
