// Prints generated pairs of a range and a version, one JSON object a line, with what the policy
// makes of them: {"range": ..., "damaged": ..., "version": ..., "verdict": "match", "no" or
// "invalid"}.
//   version_range_pairs COUNT SEED
// Ranges come from node-semver's published grammar; one in eight is then damaged, so that refusals
// are compared too. Read by version_range.js.
#include <cstdlib>
#include <iostream>
#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <vector>

#include "policy/version_range.h"

namespace tidewaiter::policy {
namespace {

class Generator {
 public:
  explicit Generator(unsigned seed) : random_(seed) {}

  std::string Range() {
    std::string range = Set();
    while (Chance(4)) range += Pick({"||", " || ", "||  "}) + Set();
    return range;
  }

  // One byte more or less.
  void Damage(std::string& range) {
    static const std::string kBytes = "v.=-+x*|<>~^ 01a";
    const std::size_t at = random_() % (range.size() + 1);
    if (Chance(2) && at < range.size()) {
      range.erase(at, 1);
    } else {
      range.insert(at, 1, kBytes[random_() % kBytes.size()]);
    }
  }

  bool Chance(unsigned of) { return random_() % of == 0; }

  // Close to the ranges' numbers, or hardly any pair would match.
  std::string Version() {
    return Number() + "." + Number() + "." + Number() + (Chance(3) ? Prerelease() : "") +
           (Chance(8) ? Build() : "");
  }

 private:
  std::string Pick(const std::vector<std::string>& from) { return from[random_() % from.size()]; }

  std::string Number() { return Pick({"0", "0", "1", "1", "2", "3", "10"}); }
  std::string Prerelease() {
    return Pick({"-0", "-1", "-rc", "-rc.1", "-beta.2", "-alpha-1", "-x"});
  }
  std::string Build() { return Pick({"+b", "+001", "+exp.sha-1"}); }

  // Wildcards only where nothing but wildcards follows: node-semver's releases differ on "1.x.3".
  std::string Partial() {
    const unsigned known = random_() % 4;
    const unsigned written = std::max(known, 1 + static_cast<unsigned>(random_() % 3));
    std::string text = Chance(12) ? "v" : "";
    for (unsigned i = 0; i < written; ++i) {
      if (i > 0) text += ".";
      text += i < known ? Number() : Pick({"x", "X", "*"});
    }
    if (written == 3 && Chance(3)) text += Prerelease();
    if (written == 3 && Chance(8)) text += Build();
    return text;
  }

  std::string Simple() {
    const std::string op = Pick({"", "", "<", "<=", ">", ">=", "=", "~", "~>", "^", "^"});
    return op + (op.empty() || !Chance(6) ? "" : " ") + Partial();
  }

  std::string Set() {
    if (Chance(5)) return Partial() + " - " + Partial();
    std::string set;
    for (auto left = 1 + random_() % 3; left > 0; --left) {
      if (!set.empty()) set += Pick({" ", "  "});
      set += Simple();
    }
    return Chance(30) ? "" : set;
  }

  std::mt19937 random_;
};

std::string Verdict(const std::string& range, const std::string& version) {
  const auto parsed_range = VersionRange::Parse(range);
  const auto parsed_version = ParseVersion(version);
  if (!parsed_version) std::abort();  // the generator's own fault
  if (!parsed_range) return "invalid";
  return parsed_range->Matches(*parsed_version) ? "match" : "no";
}

int PrintPairs(long count, unsigned seed) {
  Generator generator(seed);
  for (long i = 0; i < count; ++i) {
    std::string range = generator.Range();
    const bool damaged = generator.Chance(8);
    if (damaged) generator.Damage(range);
    const std::string version = generator.Version();
    const nlohmann::json line = {{"range", range},
                                 {"damaged", damaged},
                                 {"version", version},
                                 {"verdict", Verdict(range, version)}};
    std::cout << line.dump() << '\n';
  }
  return std::cout.flush() ? 0 : 1;
}

}  // namespace
}  // namespace tidewaiter::policy

int main(int argc, char** argv) {
  if (argc != 3) {
    std::cerr << "usage: version_range_pairs COUNT SEED\n";
    return 2;
  }
  return tidewaiter::policy::PrintPairs(std::strtol(argv[1], nullptr, 10),
                                        static_cast<unsigned>(std::strtoul(argv[2], nullptr, 10)));
}
