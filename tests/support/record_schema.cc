#include "tests/support/record_schema.h"

#include <csignal>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include "tests/support/program.h"
#include "tests/support/project_file.h"

namespace tidewaiter::testing {
namespace {

void AddLines(std::istream& stream, std::vector<std::string>& lines) {
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
}

}  // namespace

std::vector<std::string> SchemaFaults(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) text += line + '\n';
  std::signal(SIGPIPE, SIG_IGN);  // where it cannot be run
  Program check("/usr/bin/python3", {"-B", ProjectFile("tests/support/check_records"),
                                     ProjectFile("docs/audit-record.schema.json")});
  check.Feed(text);
  const Program::Ended ended = check.Wait();
  std::vector<std::string> faults;
  std::istringstream out(ended.out);
  AddLines(out, faults);
  if (faults.empty() && ended.status != 0) faults.push_back("line 0: " + ended.err);
  return faults;
}

std::vector<std::string> RecordsIn(const std::string& audit_folder) {
  std::set<std::string> files;
  std::error_code ignored;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(audit_folder, ignored)) {
    if (entry.path().extension() == ".jsonl") files.insert(entry.path());
  }
  std::vector<std::string> lines;
  for (const std::string& path : files) {
    std::ifstream file(path, std::ios::binary);
    AddLines(file, lines);
  }
  return lines;
}

}  // namespace tidewaiter::testing
