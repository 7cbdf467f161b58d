// What looks like a password in a text that is kept: texts that others choose, or that quote them,
// go into the audit log and the daemon's own. Pure; any thread.
#pragma once

#include <string>
#include <string_view>

namespace tidewaiter {

// `text`, where these are "***":
//   - what stands between the first "://" and the last '@' of a word: https://user:password@host;
//   - the same up to the next '@' of the text, where the word has none and no port follows the ':'
//     of its authority: https://user:pass word@host;
//   - without any '@', what follows that ':' to the word's end: https://user:passw..., which was
//     cut;
//   - all that stands before the last '@' of a word without "://", where a ':' is in it:
//     user:password@registry.example/image.
// The '@' of a digest ("@sha256:") is none of these, and a word without "://" that begins with '/'
// is a path. Words are parted by white space; quotes and brackets before one are no part of it.
// Made to take too much rather than too little: what stands before an '@' of the path goes, too.
std::string MaskCredentials(std::string_view text);

}  // namespace tidewaiter
