#include "wire/json_shape.h"

#include <fmt/format.h>

#include <cstdint>
#include <nlohmann/json.hpp>
#include <set>
#include <vector>

#include "base/printable.h"
#include "wire/json_scalar.h"

namespace tidewaiter::wire {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;

// One open object or array.
struct Level {
  enum class Kind { kMessage, kMap, kArray };
  Kind kind = Kind::kMessage;
  const Descriptor* message = nullptr;     // of kMessage
  const FieldDescriptor* field = nullptr;  // what this level is the value of; null for the root
  std::string path{};
  std::set<std::string, std::less<>> seen{};     // keys of kMap, canonical names of kMessage
  std::size_t next_index = 0;                    // of kArray
  const FieldDescriptor* value_field = nullptr;  // of the key just read
  std::string value_path{};
};

// The handler of nlohmann's SAX parser, whose method names are given.
class ShapeReader : public nlohmann::json::json_sax_t {
 public:
  ShapeReader(const Descriptor& root, std::size_t max_depth) : root_(root), max_depth_(max_depth) {}

  [[nodiscard]] std::optional<policy::Violation> TakeFault() { return std::move(fault_); }

  bool null() override { return Value(nullptr); }
  bool boolean(bool value) override { return Value(value); }
  bool number_integer(number_integer_t value) override { return Value(value); }
  bool number_unsigned(number_unsigned_t value) override { return Value(value); }
  bool number_float(number_float_t value, const string_t&) override { return Value(value); }
  bool string(string_t& value) override { return Value(std::string_view(value)); }
  bool binary(binary_t&) override { return NotAnObject(); }  // JSON text holds none

  bool start_object(std::size_t) override {
    if (!Enter()) return false;
    if (levels_.empty()) {
      levels_.push_back(Level{.kind = Level::Kind::kMessage, .message = &root_});
      return true;
    }
    const FieldDescriptor& field = *ValueField();
    Level level{.field = &field, .path = ValuePath()};
    if (field.is_map()) {
      level.kind = Level::Kind::kMap;
    } else if (LacksArray(field)) {
      return WrongType("an object, where a list belongs", "a list");
    } else if (field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE && !IsDuration(field)) {
      level.message = field.message_type();
    } else {
      return WrongType(fmt::format("an object, where {} belongs", ExpectedKind(field)),
                       std::string(ExpectedKind(field)));
    }
    Taken();
    levels_.push_back(std::move(level));
    return true;
  }

  bool key(string_t& name) override {
    Level& level = levels_.back();
    if (level.kind == Level::Kind::kMap) {
      level.value_field = level.field->message_type()->map_value();
      level.value_path = fmt::format("{}[{}]", level.path, Quoted(name, 64));
      return level.seen.insert(name).second || Duplicate(level.value_path);
    }
    const FieldDescriptor* field = FieldOf(*level.message, name);
    const std::string prefix = level.path.empty() ? "" : level.path + ".";
    if (field == nullptr) {
      return Fault("spec.unknown-field", prefix + Printable(name, 64), "no such field",
                   Known(*level.message));
    }
    level.value_field = field;
    level.value_path = prefix + field->json_name();
    return level.seen.insert(field->name()).second || Duplicate(level.value_path);
  }

  bool end_object() override {
    levels_.pop_back();
    return true;
  }

  bool start_array(std::size_t) override {
    if (!Enter()) return false;
    if (levels_.empty()) return NotAnObject();
    const FieldDescriptor& field = *ValueField();
    if (!field.is_repeated() || field.is_map() || levels_.back().kind == Level::Kind::kArray) {
      return WrongType("a list, where one value belongs", "see the field in run_spec.proto");
    }
    levels_.push_back(Level{.kind = Level::Kind::kArray, .field = &field, .path = ValuePath()});
    return true;
  }

  bool end_array() override { return end_object(); }

  bool parse_error(std::size_t position, const std::string&,
                   const nlohmann::detail::exception&) override {
    // The library's own text repeats the input; the position is what helps.
    return Fault("spec.syntax", levels_.empty() ? "" : levels_.back().path,
                 fmt::format("no JSON at byte {}", position), "one JSON object, RFC 8259");
  }

 private:
  bool Value(const JsonScalar& value) {
    if (levels_.empty()) return NotAnObject();
    const FieldDescriptor& field = *ValueField();
    const bool is_null = std::holds_alternative<std::nullptr_t>(value);
    // A null leaves a field of a message absent; an element or a map's value cannot be that, and a
    // list that is none is more likely a template's mistake than a wish.
    if (is_null && levels_.back().kind == Level::Kind::kMessage && !field.is_repeated())
      return true;
    if (field.is_map()) return WrongType("a plain value, where an object belongs", "an object");
    if (LacksArray(field)) return WrongType("a plain value, where a list belongs", "a list");
    if (auto misfit = FindMisfit(value, field)) {
      return WrongType(std::move(misfit->message), std::move(misfit->remedy));
    }
    Taken();
    return true;
  }

  // Whether `field`, whose value comes next, is repeated and no list has been opened for it.
  [[nodiscard]] bool LacksArray(const FieldDescriptor& field) const {
    return field.is_repeated() && levels_.back().kind != Level::Kind::kArray;
  }

  // The value that ValuePath() names has been read, or is being entered.
  void Taken() {
    if (levels_.back().kind == Level::Kind::kArray) ++levels_.back().next_index;
  }

  bool Enter() {
    if (levels_.size() < max_depth_) return true;
    return Fault("spec.syntax", levels_.back().path,
                 fmt::format("nested deeper than {} levels", max_depth_), "a RunSpec needs 5");
  }

  [[nodiscard]] const FieldDescriptor* ValueField() const {
    const Level& level = levels_.back();
    return level.kind == Level::Kind::kArray ? level.field : level.value_field;
  }

  [[nodiscard]] std::string ValuePath() const {
    const Level& level = levels_.back();
    if (level.kind != Level::Kind::kArray) return level.value_path;
    return fmt::format("{}[{}]", level.path, level.next_index);
  }

  // Both spellings that protobuf JSON reads.
  static const FieldDescriptor* FieldOf(const Descriptor& message, const std::string& name) {
    for (int i = 0; i < message.field_count(); ++i) {
      const FieldDescriptor* field = message.field(i);
      if (field->json_name() == name || field->name() == name) return field;
    }
    return nullptr;
  }

  static std::string Known(const Descriptor& message) {
    std::string names;
    for (int i = 0; i < message.field_count(); ++i) {
      names += (names.empty() ? "one of " : ", ") + message.field(i)->json_name();
    }
    return names;
  }

  bool Duplicate(std::string path) {
    return Fault("spec.duplicate-field", std::move(path), "given twice", "give it once");
  }
  bool WrongType(std::string message, std::string remedy) {
    return Fault("spec.wrong-type", ValuePath(), std::move(message), std::move(remedy));
  }
  bool NotAnObject() {
    return Fault("spec.wrong-type", "", "the text is no JSON object", "{\"image\": \"...\"}");
  }

  bool Fault(std::string rule, std::string field, std::string message, std::string remedy) {
    if (!fault_) {
      fault_ = policy::Violation{.rule = std::move(rule),
                                 .field = std::move(field),
                                 .message = std::move(message),
                                 .remedy = std::move(remedy)};
    }
    return false;
  }

  const Descriptor& root_;
  const std::size_t max_depth_;
  std::vector<Level> levels_;
  std::optional<policy::Violation> fault_;
};

}  // namespace

std::optional<policy::Violation> FindShapeFault(std::string_view json, const Descriptor& message,
                                                std::size_t max_depth) {
  ShapeReader reader(message, max_depth);
  nlohmann::json::sax_parse(json.begin(), json.end(), &reader);
  return reader.TakeFault();
}

}  // namespace tidewaiter::wire
