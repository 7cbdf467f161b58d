// What a decision allocates, whatever it is asked: at most a multiple of the run's own size and a
// constant. A program of its own, since it replaces operator new.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "policy/evaluate.h"
#include "policy/policy_set.h"
#include "tests/unit/policy/memory/allocated.h"
#include "tests/unit/policy/random_run.h"
#include "tests/unit/policy/random_source.h"

namespace tidewaiter::policy {
namespace {

constexpr std::uint64_t kPerByte = 2;
constexpr std::uint64_t kBesides = std::uint64_t{2} << 20U;
constexpr std::size_t kMostText = std::size_t{1} << 20U;

class NoHost final : public HostPaths {
 public:
  [[nodiscard]] Result<void> CheckTrusted(const std::string& path) const override {
    return Fail(ErrorCode::kPermissionDenied, "trust '" + path.substr(0, 160) + "': never");
  }
};

class AnyHost final : public HostPaths {
 public:
  [[nodiscard]] Result<void> CheckTrusted(const std::string&) const override { return Ok(); }
};

// A policy with long lists, so that a text that repeats one of them for each fault shows.
std::shared_ptr<const PolicySet> LongPolicy() {
  std::string binds;
  std::string names;
  std::string images;
  for (int i = 0; i < 3000; ++i) {
    binds += "\"/srv/" + std::string(60, 'd') + std::to_string(i) + "\",";
    names += "\"name-" + std::to_string(i) + "\",";
    images += "[[images.allow]]\nrepository = \"ghcr.io/team/*\"\nversions = \">=1.0.0 <1." +
              std::to_string(i) + ".0\"\ndigests = [\"sha256:" + std::string(64, 'b') + "\"]\n";
  }
  auto set = PolicySet::Parse("version = 1\n" + images + "[mounts]\nallow = [" + binds +
                                  "]\n[capabilities]\nallow = [\"KILL\", \"CHOWN\"]\n"
                                  "[runtimes]\nallow = [" +
                                  names + "]\n[seccomp]\nallow = [" + names + "]\n",
                              "long");
  EXPECT_TRUE(set.has_value()) << (set ? "" : set.error().message.substr(0, 300));
  return set ? *std::move(set) : nullptr;
}

std::shared_ptr<const PolicySet> ShortPolicy() {
  auto set = PolicySet::Parse(
      "version = 1\nmode = \"development\"\n[[images.allow]]\nrepository = \"ghcr.io/**\"\n"
      "[images]\ntag = \"any\"\ndigest = \"optional\"\n[mounts]\nallow = [\"/srv\"]\n"
      "[capabilities]\nallow = [\"KILL\"]\n",
      "short");
  EXPECT_TRUE(set.has_value()) << (set ? "" : set.error().message);
  return set ? *std::move(set) : nullptr;
}

std::uint64_t SizeOf(const std::string& text) {
  return sizeof(text) + text.size();
}
template <typename Texts>
std::uint64_t SizeOfAll(const Texts& texts) {
  std::uint64_t size = 0;
  for (const std::string& text : texts) size += SizeOf(text);
  return size;
}
std::uint64_t SizeOf(const std::map<std::string, std::string>& map) {
  constexpr std::uint64_t kNode = 4 * sizeof(void*);
  std::uint64_t size = 0;
  for (const auto& [name, value] : map) size += kNode + SizeOf(name) + SizeOf(value);
  return size;
}
std::uint64_t SizeOf(const Mount& mount) {
  std::uint64_t size = sizeof(mount) + mount.target.size();
  if (const auto* bind = std::get_if<BindMount>(&mount.source)) size += bind->source.size();
  if (const auto* input = std::get_if<InputMount>(&mount.source)) size += input->name.size();
  if (const auto* output = std::get_if<OutputMount>(&mount.source)) size += output->name.size();
  if (const auto* volume = std::get_if<VolumeMount>(&mount.source)) size += volume->name.size();
  return size;
}
std::uint64_t SizeOf(const RunSpec& spec) {
  std::uint64_t size = sizeof(spec);
  for (const std::string* text : {&spec.image, &spec.working_dir, &spec.user, &spec.runtime,
                                  &spec.seccomp_profile, &spec.tenant.challenge, &spec.tenant.job,
                                  &spec.tenant.task, &spec.backend, &spec.idempotency_key}) {
    size += text->size();
  }
  size += SizeOfAll(spec.command) + SizeOfAll(spec.add_capabilities);
  size += SizeOf(spec.env) + SizeOf(spec.labels);
  for (const Mount& mount : spec.mounts) size += SizeOf(mount);
  return size;
}

std::string HostileText(RandomSource& random, std::size_t most = 200000) {
  using namespace std::string_literals;
  const std::string unit = random.Pick<std::string>(
      {"a"s, "/"s, "\0"s, "\xff"s, "\x1b[2J"s, "\xE2\x80\xAE"s, "/a"s, "'\\"s, "="s, "A.-_"s,
       "../"s, "\xF0\x9F\x98\x80"s, "io.tidewaiter."s, "9"s, "\n"s, ":@"s});
  const std::size_t size =
      std::min(most, random.Pick<std::size_t>({0, 1, 2, 40, 160, 5000, 70000, 200000}));
  std::string text = random.Chance(30) ? "/"s : ""s;
  while (text.size() < size) text += unit;
  return text;
}

std::size_t HostileCount(RandomSource& random) {
  return random.Pick<std::size_t>({0, 1, 63, 64, 65, 256, 1024, 1025, 5000});
}

// Up to that many texts; each of them short where they are many, or a test would never end.
std::vector<std::string> HostileTexts(RandomSource& random) {
  std::vector<std::string> texts(HostileCount(random));
  const std::string common = HostileText(random, texts.size() > 64 ? 200 : 200000);
  for (std::string& text : texts) {
    text = random.Chance(50) ? common : random.Text({"", "KILL", "x", "\n", "CAP_CHOWN"});
    if (random.Chance(50)) text += std::to_string(random.Below(10000));
  }
  return texts;
}

std::int64_t HostileNumber(RandomSource& random) {
  using Limits = std::numeric_limits<std::int64_t>;
  return random.Pick<std::int64_t>({Limits::min(), -1, 0, 1, 4096, Limits::max()});
}

Mount HostileMount(RandomSource& random, const std::string& text) {
  Mount mount;
  mount.target = random.Chance(50) ? text : "/data" + std::to_string(random.Below(1000));
  mount.read_only = random.Chance(50);
  switch (random.Below(6)) {
    case 0: break;
    case 1: mount.source = TmpfsMount{HostileNumber(random)}; break;
    case 2: mount.source = InputMount{text}; break;
    case 3: mount.source = OutputMount{text}; break;
    case 4: mount.source = VolumeMount{text}; break;
    default: mount.source = BindMount{random.Chance(50) ? text : "/opt/x"}; break;
  }
  return mount;
}

RunSpec HostileSpec(RandomSource& random) {
  RunSpec spec = RandomSpec(random);
  const std::size_t percent = random.Chance(50) ? 2 : 25;  // or none would be admitted
  const auto departs = [&] { return random.Chance(percent); };
  if (departs()) spec.image = HostileText(random);
  if (departs()) spec.command = HostileTexts(random);
  if (departs()) {
    for (std::string& name : HostileTexts(random))
      spec.env[std::move(name)] = HostileText(random, 300);
  }
  if (departs()) spec.env["HOME"] = HostileText(random);
  if (departs()) spec.working_dir = HostileText(random);
  if (departs()) spec.user = HostileText(random);
  if (departs()) {
    for (std::string& name : HostileTexts(random))
      spec.labels[std::move(name)] = HostileText(random, 300);
  }
  for (const LimitInfo& info : kLimits) {
    if (departs()) spec.limits.*info.requested = HostileNumber(random);
  }
  if (departs()) {
    const std::string text = HostileText(random, 5000);
    for (std::size_t i = HostileCount(random); i > 0; --i)
      spec.mounts.push_back(HostileMount(random, text));
  }
  if (departs()) spec.add_capabilities = HostileTexts(random);
  for (std::string* text :
       {&spec.runtime, &spec.seccomp_profile, &spec.tenant.challenge, &spec.tenant.job,
        &spec.tenant.task, &spec.backend, &spec.idempotency_key}) {
    if (departs()) *text = HostileText(random);
  }
  return spec;
}

std::size_t TextOf(const std::vector<Violation>& violations) {
  std::size_t size = 0;
  for (const Violation& each : violations) {
    size += each.rule.size() + each.field.size() + each.message.size() + each.remedy.size();
  }
  return size;
}

// One decision within its bounds, and the same one again; counts it where it admits.
void Decide(const Policy& policy, const RunSpec& spec, const HostPaths& host,
            std::size_t& admitted) {
  const RunSpec before = spec;
  const std::uint64_t begin = testing::Allocated();
  const Decision once = Evaluate(policy, spec, host);
  const std::uint64_t taken = testing::Allocated() - begin;
  ASSERT_LE(taken, kPerByte * SizeOf(spec) + kBesides)
      << SizeOf(spec) << " bytes of spec, violations: " << once.violations().size();
  ASSERT_LE(TextOf(once.violations()), kMostText) << once.violations().size();
  const Decision twice = Evaluate(policy, spec, host);
  ASSERT_EQ(spec, before);
  ASSERT_EQ(once.violations(), twice.violations());
  ASSERT_EQ(once.admitted() == nullptr, twice.admitted() == nullptr);
  if (once.admitted() == nullptr) return;
  ++admitted;
  ASSERT_EQ(once.admitted()->effective(), twice.admitted()->effective());
  ASSERT_EQ(once.admitted()->policy_hash(), twice.admitted()->policy_hash());
}

TEST(EvaluateMemory, HostileRunsAreDecidedWithinTheirOwnSizeAndTwiceAlike) {
  const auto long_set = LongPolicy();
  const auto short_set = ShortPolicy();
  ASSERT_TRUE(long_set && short_set);
  RandomSource random(7);
  std::size_t admitted = 0;
  for (int i = 0; i < 150; ++i) {
    const RunSpec spec = HostileSpec(random);
    ASSERT_NO_THROW(Decide(*long_set->Find("default"), spec, NoHost(), admitted));
    ASSERT_NO_THROW(Decide(*short_set->Find("default"), spec, AnyHost(), admitted));
    if (HasFatalFailure()) return;
  }
  EXPECT_GT(admitted, 5U);
}

// Each field at its worst alone, where a random run has hardly ever so much of one.
TEST(EvaluateMemory, EachFieldAtItsWorstIsBounded) {
  const auto set = LongPolicy();
  ASSERT_TRUE(set);
  const std::string wild(300, '\x1b');
  const std::string image = "ghcr.io/team/a:1.2.3@sha256:" + std::string(64, 'a');
  const std::vector<void (*)(RunSpec&, const std::string&)> worst{
      [](RunSpec& spec, const std::string&) {
        spec.image = std::string(std::size_t{4} << 20U, 'a');
      },
      [](RunSpec& spec, const std::string& text) {
        spec.command.assign(1024, text.substr(0, 200) + '\0');
      },
      [](RunSpec& spec, const std::string& text) { spec.command.assign(100000, text); },
      [](RunSpec& spec, const std::string&) { spec.command.assign(100000, "\xff"); },
      [](RunSpec& spec, const std::string& text) {
        for (int i = 0; i < 256; ++i) spec.env[text + std::to_string(i)] = std::string(1, '\0');
      },
      [](RunSpec& spec, const std::string& text) {
        for (int i = 0; i < 50000; ++i) spec.env[text + std::to_string(i)] = text;
      },
      [](RunSpec& spec, const std::string& text) {
        for (int i = 0; i < 64; ++i)
          spec.labels["io.tidewaiter." + text + std::to_string(i)] = std::string(1, '\0');
      },
      [](RunSpec& spec, const std::string& text) {
        for (int i = 0; i < 50000; ++i) spec.labels[text + std::to_string(i)] = text;
      },
      [](RunSpec& spec, const std::string& text) {
        for (int i = 0; i < 64; ++i)
          spec.mounts.push_back({"/etc/" + text, false, BindMount{"/home/" + std::to_string(i)}});
      },
      [](RunSpec& spec, const std::string&) {
        for (int i = 0; i < 64; ++i)
          spec.mounts.push_back({"/etc", false, BindMount{"/var/" + std::string(4000, 'x')}});
      },
      [](RunSpec& spec, const std::string& text) {
        for (int i = 0; i < 64; ++i) spec.mounts.push_back({"/d", true, OutputMount{text}});
      },
      [](RunSpec& spec, const std::string& text) {
        spec.mounts.assign(100000, {text, false, {}});
      },
      [](RunSpec& spec, const std::string& text) { spec.add_capabilities.assign(100000, text); },
      [](RunSpec& spec, const std::string&) {
        spec.add_capabilities.assign(100000, "cap_sys_admin");
      },
      [](RunSpec& spec, const std::string& text) { spec.runtime = spec.seccomp_profile = text; },
  };
  for (std::size_t i = 0; i < worst.size(); ++i) {
    SCOPED_TRACE(i);
    RunSpec spec;
    spec.image = image;
    worst[i](spec, wild);
    std::size_t admitted = 0;
    ASSERT_NO_THROW(Decide(*set->Find("default"), spec, NoHost(), admitted));
    if (HasFatalFailure()) return;
  }
}

}  // namespace
}  // namespace tidewaiter::policy
