// tidewaiter-carrier: brings a run's files into its pod and out of it (docs/KUBERNETES.md). The one
// program of an image of its own, and linked statically: there is nothing else in it. It runs as
// the run's user and needs no right.
//   unpack PARTS FOLDER [PARTS FOLDER]...  makes FOLDER, and unpacks there the tar archive whose
//                                          bytes are the files of PARTS, in the order of their
//                                          names
//   pack FOLDER MAX_BYTES [last]           writes the files and folders of FOLDER to stdout as a
//                                          plain tar, what it leaves out to stderr
//                                          (extract/omission_lines.h); after the last one `hold`,
//                                          which is then process 1, ends
//   hold                                   waits for that, or for SIGTERM; not while something is
//                                          being packed
// Exit status: 0 done, 1 not, 2 it could not begin.
#include <string>
#include <string_view>
#include <vector>

#include "extract/carrier/hold.h"
#include "extract/carrier/pack.h"
#include "extract/carrier/say.h"
#include "extract/carrier/unpack.h"

namespace tidewaiter::extract {
namespace {

int Main(const std::vector<std::string>& arguments) {
  const std::string_view verb = arguments.empty() ? "" : std::string_view(arguments[0]);
  if (verb == "unpack" && arguments.size() >= 3 && arguments.size() % 2 == 1) {
    for (std::size_t i = 1; i < arguments.size(); i += 2) {
      const int status = Unpack(arguments[i], arguments[i + 1]);
      if (status != 0) return status;
    }
    return 0;
  }
  if (verb == "pack" &&
      (arguments.size() == 3 || (arguments.size() == 4 && arguments[3] == "last"))) {
    return Pack(arguments[1], arguments[2], arguments.size() == 4);
  }
  if (verb == "hold" && arguments.size() == 1) return Hold();
  return Say(kCannotBegin, "started by tidewaiterd in a pod, not by hand: see docs/KUBERNETES.md");
}

}  // namespace
}  // namespace tidewaiter::extract

int main(int argc, char** argv) {
  return tidewaiter::extract::Main({argv + 1, argv + argc});
}
