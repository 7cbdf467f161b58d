#include "extract/carrier/output_folder.h"

#include <sys/stat.h>

#include <cerrno>
#include <cstring>

#include "extract/carrier/say.h"

namespace tidewaiter::extract {

int MakeOutputFolder(const std::string& folder) {
  ::umask(0);
  if (::mkdir(folder.c_str(), 0700) == 0) return 0;
  return Say(kNotDone, "make the output folder " + folder + ": " + std::strerror(errno));
}

}  // namespace tidewaiter::extract
