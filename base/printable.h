// Text of strangers made safe to print: what goes into errors, logs and terminals. A hostile name
// must not forge a log line, move a cursor or reverse the reading order of a message.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace tidewaiter {

// Whether `text` is well-formed UTF-8 (RFC 3629: no overlong forms, no surrogates, at most
// U+10FFFF).
bool IsUtf8(std::string_view text) noexcept;

// Whether `text` holds a C0 control byte or DEL.
bool HasControl(std::string_view text) noexcept;

// `text` with every control character (C0, DEL, C1), line separator, bidirectional control and byte
// that is not UTF-8 written as \xNN per byte, and '\' escaped too; cut with "..." where the result
// would be longer than about `max_bytes`.
std::string Printable(std::string_view text, std::size_t max_bytes = 160);

// The same in single quotes, those inside escaped, and what looks like a password masked
// (base/mask_credentials.h): how messages name an object.
std::string Quoted(std::string_view text, std::size_t max_bytes = 160);

}  // namespace tidewaiter
