#include "tests/support/extraction.h"

#include <archive.h>
#include <archive_entry.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "extract/limits.h"
#include "tests/support/program.h"

namespace tidewaiter::testing {
namespace fs = std::filesystem;

std::map<std::string, std::string> TreeOf(const std::string& folder) {
  std::map<std::string, std::string> tree;
  if (!fs::exists(fs::symlink_status(folder))) return tree;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    struct stat status {};
    ::lstat(entry.path().c_str(), &status);
    std::string& what = tree[entry.path().lexically_relative(folder).string()];
    what = fmt::format("{:o}", status.st_mode);
    if (!S_ISREG(status.st_mode)) continue;
    std::ifstream file(entry.path(), std::ios::binary);
    what += ' ' + std::string(std::istreambuf_iterator<char>(file), {});
  }
  return tree;
}

std::string Compressed(const std::string& bytes, const std::string& filter,
                       const std::string& options) {
  std::string out;
  archive* const handle = ::archive_write_new();
  ::archive_write_add_filter_by_name(handle, filter.c_str());
  ::archive_write_set_format_raw(handle);
  EXPECT_EQ(::archive_write_set_options(handle, options.c_str()), ARCHIVE_OK);
  const auto append = [](archive*, void* to, const void* from, std::size_t size) {
    static_cast<std::string*>(to)->append(static_cast<const char*>(from), size);
    return static_cast<la_ssize_t>(size);
  };
  ::archive_write_set_bytes_in_last_block(handle, 1);
  EXPECT_EQ(::archive_write_open(handle, &out, nullptr, append, nullptr), ARCHIVE_OK);
  archive_entry* const entry = ::archive_entry_new();
  ::archive_entry_set_filetype(entry, AE_IFREG);
  ::archive_entry_set_pathname(entry, "x");
  ::archive_write_header(handle, entry);
  ::archive_write_data(handle, bytes.data(), bytes.size());
  EXPECT_EQ(::archive_write_close(handle), ARCHIVE_OK);
  ::archive_entry_free(entry);
  ::archive_write_free(handle);
  return out;
}

Extraction::Extraction(const std::string& root) : root_(root.empty() ? scratch_ / "root" : root) {
  fs::create_directories(root_);
  fs::create_directory(outside());
  std::ofstream(outside() + "/precious") << "precious";
}

Extraction::End Extraction::Run(const std::string& archive,
                                const std::vector<std::string>& flags) const {
  const std::string file = scratch_ / "archive";
  std::ofstream(file, std::ios::binary) << archive;
  std::vector<std::string> words{"extract", "--json"};
  words.insert(words.end(), flags.begin(), flags.end());
  words.insert(words.end(), {file, destination()});
  Program program("tidewaiter", words);
  const Program::Ended ended = program.Wait();
  fs::remove(file);
  return {.status = ended.status,
          .said = nlohmann::json::parse(ended.out, nullptr, false),
          .err = ended.err};
}

std::string Extraction::Refusal(const std::string& archive,
                                const std::vector<std::string>& flags) const {
  const auto before = TreeOf(root_);
  const End absent = Run(archive, flags);
  EXPECT_EQ(absent.status, 1) << absent.said << absent.err;
  EXPECT_EQ(TreeOf(root_), before);
  fs::create_directory(destination());
  const End empty = Run(archive, flags);
  EXPECT_EQ(empty.status, 1) << empty.said << empty.err;
  EXPECT_TRUE(Extracted().empty());
  fs::remove(destination());
  EXPECT_EQ(TreeOf(root_), before);
  EXPECT_EQ(empty.code(), absent.code());
  return absent.code();
}

}  // namespace tidewaiter::testing
