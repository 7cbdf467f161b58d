// The options of `run` that describe the container: docker's names where docker has them, and what
// they make of a RunSpec. Nothing here decides what is allowed: a value that can be expressed is
// passed on, so that the broker's policy answers with all its violations at once.
#pragma once

#include <CLI/App.hpp>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "client/commands/archive_flag.h"
#include "client/commands/env_flag.h"
#include "tidewaiter/v1/run_spec.pb.h"

namespace tidewaiter::cli {

class RunFlags {
 public:
  // Adds the options to `app`, which then writes into this object: it must outlive the parsing.
  void Register(CLI::App& app);

  // Lays the options that were given, then IMAGE and COMMAND (`positionals`), over `spec`: single
  // values replace, names of env and labels replace alike names, lists grow. Errors are usage
  // errors: they name the option.
  [[nodiscard]] Result<void> Apply(const std::vector<std::string>& positionals,
                                   const Lookup& lookup, v1::RunSpec& spec) const;

  // --input and --output. Errors: as Apply's.
  [[nodiscard]] Result<std::vector<ArchiveFlag>> Inputs() const;
  [[nodiscard]] Result<std::vector<ArchiveFlag>> Outputs() const;

 private:
  [[nodiscard]] Result<void> ApplyProcess(const Lookup& lookup, v1::RunSpec& spec) const;
  [[nodiscard]] Result<void> ApplyLimits(v1::RunSpec& spec) const;
  [[nodiscard]] Result<void> ApplyMounts(v1::RunSpec& spec) const;
  [[nodiscard]] Result<void> ApplySecurity(v1::RunSpec& spec) const;
  void ApplyNames(v1::RunSpec& spec) const;
  [[nodiscard]] Result<void> ApplyArchives(v1::RunSpec& spec) const;

  std::vector<std::string> env_, env_files_, labels_;
  std::string working_dir_, user_;
  std::string memory_, cpus_, pids_, timeout_, tmpfs_bytes_, log_bytes_;
  std::vector<std::string> ulimits_;
  std::string network_;
  std::vector<std::string> mounts_, volumes_, tmpfs_;
  std::vector<std::string> inputs_, outputs_;
  std::vector<std::string> add_capabilities_, security_options_;
  std::string read_only_;
  std::string runtime_, backend_, idempotency_key_;
  std::string tenant_challenge_, tenant_job_, tenant_task_;
};

}  // namespace tidewaiter::cli
