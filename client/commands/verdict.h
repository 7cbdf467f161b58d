// What a policy says of spec files: shared by `explain`, which asks the broker, and `policy check`,
// which decides here.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "tidewaiter/v1/broker.pb.h"

namespace tidewaiter::cli {

// The longest spec file that is read: twice what a message to the broker may hold.
inline constexpr std::size_t kSpecBytes = std::size_t{8} << 20;

// What a command does with one spec. INVALID_ARGUMENT is that spec's fault and told as its verdict;
// any other error ends the command.
class Judge {
 public:
  virtual ~Judge() = default;
  virtual Result<v1::ExplainResponse> Decide(const v1::RunSpec& spec) = 0;
};

// Reads each file ("-" is stdin), asks `judge`, prints one verdict each: a JSON line
// {spec, admitted, violations, effective, enforcement, policy, policyHash}, or text. What is no
// RunSpec is a verdict too, with a rule "spec.*". Exit status: 0 all admitted, 1 any denied or
// `judge` failed, 2 a file cannot be read.
int JudgeFiles(const std::vector<std::string>& paths, Judge& judge, bool json);

}  // namespace tidewaiter::cli
