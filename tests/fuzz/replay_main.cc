// Feeds every seed of one folder to a fuzz target in a build without libFuzzer (g++, sanitizers).
// Single-threaded; never changes a seed. Fails when the folder holds no seed, so that a target
// cannot pass by reading nothing.

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <system_error>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

bool Replay(const std::filesystem::path& seed) {
  std::ifstream file(seed, std::ios::binary);
  if (!file) return false;
  std::vector<char> bytes{std::istreambuf_iterator<char>(file), {}};
  // The target sees a copy of exactly the seed's size: AddressSanitizer then catches a read past
  // its end.
  std::vector<std::uint8_t> exact(bytes.begin(), bytes.end());
  exact.shrink_to_fit();
  LLVMFuzzerTestOneInput(exact.data(), exact.size());
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: %s SEED_FOLDER\n", argv[0]);
    return 2;
  }
  std::error_code error;
  std::size_t replayed = 0;
  for (const auto& entry : std::filesystem::directory_iterator(argv[1], error)) {
    if (!entry.is_regular_file()) continue;
    if (!Replay(entry.path())) {
      std::fprintf(stderr, "read '%s': failed\n", entry.path().c_str());
      return 1;
    }
    ++replayed;
  }
  if (error || replayed == 0) {
    std::fprintf(stderr, "no seeds in '%s'\n", argv[1]);
    return 1;
  }
  std::printf("%zu seeds replayed\n", replayed);
  return 0;
}
