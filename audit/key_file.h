// Where the broker keeps the secrets of its log: a small file that nobody but its own user (and
// root) may read, made once and never replaced. Thread: any.
#pragma once

#include <cstddef>
#include <functional>
#include <string>

#include "audit/secret_text.h"
#include "base/result.h"

namespace tidewaiter::audit {

inline constexpr std::size_t kMaxKeyFileBytes = 4096;

// What is in the file `name` of the folder `directory`. NOT_FOUND where there is none.
// FAILED_PRECONDITION (UNTRUSTED_KEY), naming what is wrong and what to do, where it is not a
// regular file (a link is none), belongs to someone else than this process's user or root, gives
// anybody else any right, has a second name, is empty or is longer than kMaxKeyFileBytes. Else
// errno's.
Result<SecretText> LoadKeyFile(const std::string& directory, const std::string& name);

struct KeyFile {
  SecretText text;
  bool made = false;  // by this call
};

// The same; where there is none, first makes it with what `generate` returns: with mode 0600, and
// whole and on disk at its name before this returns, or not there. One caller at a time: the broker
// holds the lock of its state folder. A crash can leave NAME.new behind, which the next call
// removes.
Result<KeyFile> LoadOrCreateKeyFile(const std::string& directory, const std::string& name,
                                    const std::function<Result<std::string>()>& generate);

}  // namespace tidewaiter::audit
