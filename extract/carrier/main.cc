// tidewaiter-carrier: brings a run's files into its pod and out of it (docs/KUBERNETES.md). The one
// program of an image of its own, and linked statically: there is nothing else in it. It runs as
// the run's user and needs no right.
//   prepare ITEM...               before the job, in this order; each ITEM is one of
//     input PARTS FOLDER            makes FOLDER, and unpacks there the tar archive whose bytes are
//                                   the files of PARTS, in the order of their names
//     output FOLDER                 makes FOLDER for the job to write into
//   pack FOLDER MAX_BYTES [last]  writes the files and folders of FOLDER to stdout as a plain tar,
//                                 what it leaves out to stderr (extract/omission_lines.h); where
//                                 it is the last one, a byte from stdin says that it has arrived,
//                                 and `hold`, which is then process 1, ends
//   hold                          waits for that, or for SIGTERM; not while something is being
//                                 packed
// Exit status: 0 done, 1 not, 2 it could not begin.
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "extract/carrier/hold.h"
#include "extract/carrier/output_folder.h"
#include "extract/carrier/pack.h"
#include "extract/carrier/say.h"
#include "extract/carrier/unpack.h"

namespace tidewaiter::extract {
namespace {

struct Item {
  std::string parts;  // empty: an output
  std::string folder;
};

// Nothing where they are not of the form above.
std::optional<std::vector<Item>> ReadItems(const std::vector<std::string>& words) {
  std::vector<Item> items;
  for (std::size_t i = 0; i < words.size();) {
    if (words[i] == "input" && words.size() - i >= 3 && !words[i + 1].empty()) {
      items.push_back({.parts = words[i + 1], .folder = words[i + 2]});
      i += 3;
    } else if (words[i] == "output" && words.size() - i >= 2) {
      items.push_back({.parts = "", .folder = words[i + 1]});
      i += 2;
    } else {
      return std::nullopt;
    }
  }
  if (items.empty()) return std::nullopt;
  return items;
}

int Prepare(const std::vector<Item>& items) {
  for (const Item& item : items) {
    const int status =
        item.parts.empty() ? MakeOutputFolder(item.folder) : Unpack(item.parts, item.folder);
    if (status != 0) return status;
  }
  return 0;
}

int Main(const std::vector<std::string>& arguments) {
  const std::string_view verb = arguments.empty() ? "" : std::string_view(arguments[0]);
  if (verb == "prepare") {
    if (const auto items = ReadItems({arguments.begin() + 1, arguments.end()})) {
      return Prepare(*items);
    }
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
