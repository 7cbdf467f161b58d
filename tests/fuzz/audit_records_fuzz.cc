// Any bytes as a segment of an audit log. Its lines come out one after another as they stand in it,
// and what is read of one lies inside it. What is parsed of one says the same as its header, and
// can be asked anything.
#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "audit/filter.h"
#include "audit/line_reader.h"
#include "audit/ocsf.h"
#include "audit/record_header.h"
#include "audit/record_members.h"
#include "base/unique_fd.h"

namespace {

using namespace tidewaiter;

void Require(bool holds) {
  if (!holds) std::abort();
}

bool IsInside(std::string_view part, std::string_view whole) {
  return part.empty() ||
         (part.data() >= whole.data() && part.data() + part.size() <= whole.data() + whole.size());
}

void CheckHeader(std::string_view line, const audit::RecordHeader& header) {
  for (const std::string_view part :
       {header.index_text, header.time, header.type, header.run_id, header.principal}) {
    Require(IsInside(part, line));
  }
  Require(!header.time.empty() && !header.type.empty());
  Require(line.front() == '{' && line.back() == '}');
}

void CheckMembers(std::string_view line) {
  const auto members = audit::ParseMembers(line);
  if (!members) return;
  Require(line.find('{') != std::string_view::npos);
  static_cast<void>(members->dump());
  const auto event = audit::ToOcsf(line);
  if (event) Require(nlohmann::json::parse(*event).at("raw_data") == std::string(line));
}

void CheckFilters(std::string_view line, const audit::RecordHeader& header) {
  const audit::Filter filters[] = {{.tenant = "42"},
                                   {.image = "ghcr.io"},
                                   {.image = "sha256:0"},
                                   {.outcome = "unsuccessful"},
                                   {.rule = "image.tag-required"},
                                   {.shadow_rule = "image.tag-required"}};
  Require(audit::Matcher({}).Matches(header, line));
  for (const audit::Filter& filter : filters) {
    const bool matches = audit::Matcher(filter).Matches(header, line);
    Require(!matches || audit::ParseMembers(line).has_value());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(data, data + size);
  const UniqueFd fd(::memfd_create("log", MFD_CLOEXEC));
  Require(fd &&
          ::pwrite(fd.get(), text.data(), text.size(), 0) == static_cast<ssize_t>(text.size()));

  audit::FileSource source(fd.get(), 0, text.size());
  audit::LineReader lines(source);
  std::size_t at = 0;
  while (true) {
    const auto line = lines.Next();
    if (!line) return 0;  // a line that is too long
    if (!*line) break;
    Require(std::string_view(text).substr(at, (*line)->size()) == **line);
    at += (*line)->size() + 1;
    Require(lines.offset() == at && text[at - 1] == '\n');
    const auto header = audit::ReadHeader(**line);
    if (header) CheckHeader(**line, *header);
    CheckMembers(**line);
    if (header) CheckFilters(**line, *header);
  }
  Require(text.find('\n', at) == std::string::npos);

  return 0;
}
