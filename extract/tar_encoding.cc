#include "extract/tar_encoding.h"

#include <fmt/format.h>

#include <algorithm>

#include "extract/tar_header.h"

namespace tidewaiter::extract {
namespace {

constexpr std::size_t kNameBytes = 100;
constexpr std::size_t kPrefixBytes = 155;
constexpr std::uint64_t kMostId = 07777777;        // seven octal digits and NUL
constexpr std::uint64_t kMostSize = 077777777777;  // eleven

void Put(std::string& block, std::size_t at, std::string_view text) {
  block.replace(at, text.size(), text);
}

struct UstarFields {
  std::string_view prefix;
  std::string_view name;
  char type = '0';
  std::uint32_t mode = 0;
  TarOwner owner;
  std::uint64_t size = 0;
};

std::string EncodeUstar(const UstarFields& fields) {
  std::string block(kTarBlock, '\0');
  Put(block, 0, fields.name);
  Put(block, 100, fmt::format("{:07o}", fields.mode));
  Put(block, 108, fmt::format("{:07o}", fields.owner.uid));
  Put(block, 116, fmt::format("{:07o}", fields.owner.gid));
  Put(block, 124, fmt::format("{:011o}", fields.size));
  Put(block, 136, "00000000000");
  Put(block, 148, "        ");
  block[156] = fields.type;
  Put(block, 257, {"ustar\00000", 8});
  Put(block, 329, "0000000");
  Put(block, 337, "0000000");
  Put(block, 345, fields.prefix);
  std::uint32_t sum = 0;
  for (const char c : block) sum += static_cast<unsigned char>(c);
  Put(block, 148, fmt::format("{:06o}", sum));
  block[154] = '\0';
  return block;
}

// `name` in ustar's two fields, between which a slash is left out. False: it does not fit.
bool SplitName(std::string_view name, UstarFields& fields) {
  fields.name = name;
  if (name.size() <= kNameBytes) return true;
  const std::size_t slash = name.find('/', name.size() - kNameBytes - 1);
  if (slash > kPrefixBytes || slash == 0 || slash + 1 >= name.size()) return false;
  fields.prefix = name.substr(0, slash);
  fields.name = name.substr(slash + 1);
  return true;
}

// The number before a PAX record counts its own digits.
std::string PaxRecord(std::string_view key, std::string_view value) {
  const std::size_t rest = key.size() + value.size() + 3;
  std::size_t length = rest + 1;
  while (fmt::formatted_size("{}", length) + rest != length) ++length;
  return fmt::format("{} {}={}\n", length, key, value);
}

// `number` for the header's field; where it does not fit, 0 and a record of it.
template <typename Number>
Number FieldOrRecord(Number number, std::uint64_t most, std::string_view key,
                     std::string& records) {
  if (number <= most) return number;
  records += PaxRecord(key, fmt::format("{}", number));
  return 0;
}

}  // namespace

std::string EncodeTarHeader(const TarEntry& entry, std::uint64_t number) {
  const std::string name = std::string(entry.path) + (entry.is_folder ? "/" : "");
  UstarFields fields;
  fields.type = entry.is_folder ? '5' : '0';
  fields.mode = entry.mode;
  std::string records;
  // No part of the name, which could be taken for a folder's.
  const std::string own_name = fmt::format("PaxEntries/{}", number);
  if (!SplitName(name, fields)) {
    fields.name = own_name;
    records += PaxRecord("path", name);
  }
  fields.size = FieldOrRecord(entry.size, kMostSize, "size", records);
  fields.owner.uid = FieldOrRecord(entry.owner.uid, kMostId, "uid", records);
  fields.owner.gid = FieldOrRecord(entry.owner.gid, kMostId, "gid", records);
  if (records.empty()) return EncodeUstar(fields);

  const std::string pax_name = fmt::format("PaxHeaders/{}", number);
  std::string bytes = EncodeUstar({.prefix = {},
                                   .name = pax_name,
                                   .type = 'x',
                                   .mode = 0644,
                                   .owner = {},
                                   .size = records.size()});
  bytes += records;
  bytes.append(TarPadding(records.size()), '\0');
  return bytes + EncodeUstar(fields);
}

std::size_t TarPadding(std::uint64_t size) noexcept {
  return static_cast<std::size_t>((kTarBlock - size % kTarBlock) % kTarBlock);
}

}  // namespace tidewaiter::extract
