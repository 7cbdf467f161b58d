// Any bytes as a segment of an audit log. Its lines come out one after another as they stand in it,
// and what is read of one lies inside it.
#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "audit/line_reader.h"
#include "audit/record_header.h"
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
  }
  Require(text.find('\n', at) == std::string::npos);

  return 0;
}
