// The calls by which this program makes something durable, renames or removes: it replaces those of
// the C library, which do what they always did and are noted besides.
#pragma once

#include <functional>
#include <string>
#include <vector>

namespace tidewaiter::audit {

class DurableCalls {
 public:
  // Notes what is called from now on, by any thread, until its end. One at a time.
  DurableCalls();
  DurableCalls(const DurableCalls&) = delete;
  DurableCalls& operator=(const DurableCalls&) = delete;
  ~DurableCalls();

  // Those that succeeded, in order: "sync NAME" (of a folder "sync ."), "rename OLD NEW",
  // "remove NAME".
  [[nodiscard]] static std::vector<std::string> Seen();
  // Called before each call is made, with its text as above, on the thread that makes it.
  static void Before(std::function<void(const std::string& call)> told);
};

}  // namespace tidewaiter::audit
