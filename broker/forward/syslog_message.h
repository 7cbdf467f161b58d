// A record as a syslog message (RFC 5424). Pure.
#pragma once

#include <string>
#include <string_view>

#include "broker/forward/forwarded_record.h"

namespace tidewaiter::forward {

// Who sends: the same in every message of a process.
struct SyslogOrigin {
  std::string host_name;  // empty: unknown
  std::string process_id;
};

// This machine's name and this process.
SyslogOrigin ThisOrigin();

// The whole message, without framing. Facility 13 (log audit), APP-NAME `tidewaiter`, MSGID the
// record's type, MSG the exact line.
//
// MSG has no byte order mark, which makes it the grammar's MSG-ANY: JSON that is sent has none
// (RFC 8259, 8.1), and a receiver would keep it as part of the record. The one element of
// structured data is of those that IANA lists: names of one's own end in `@` and the enterprise
// number of who defines them (6.3.2), this project has none, and 32473 is for documentation (RFC
// 5612).
std::string SyslogMessage(const SyslogOrigin& origin, const ForwardedRecord& record);

// The same for a record that is longer than what carries it: in the line's place a JSON object
// with the members that every record has, `forward_cut: true`, and the length and the SHA-256 of
// the line that stands in the log.
std::string ShortenedSyslogMessage(const SyslogOrigin& origin, const ForwardedRecord& record);

}  // namespace tidewaiter::forward
