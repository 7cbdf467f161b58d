#include "wire/json_reader.h"

#include <fmt/format.h>

#include <cstdint>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <utility>

#include "base/printable.h"
#include "wire/fitted_json.h"
#include "wire/json_scalar.h"

namespace tidewaiter::wire {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

constexpr std::size_t kMaxFaults = 100;

// One open object or array.
struct Level {
  enum class Kind { kMessage, kMap, kArray };
  Kind kind = Kind::kMessage;
  Message* message = nullptr;              // the one that is filled; of kMap and kArray, its owner
  const FieldDescriptor* field = nullptr;  // what this level is the value of; null for the root
  std::string path{};
  std::set<std::string, std::less<>> seen{};     // keys of kMap, canonical names of kMessage
  std::size_t next_index = 0;                    // of kArray
  const FieldDescriptor* value_field = nullptr;  // of the key just read
  std::string value_path{};
  std::string map_key{};
};

// The handler of nlohmann's SAX parser, whose method names are given. What is at fault is told and
// passed over, so that the rest is read too; false ends the reading.
class Reader : public nlohmann::json::json_sax_t {
 public:
  Reader(const FittedJson& json, std::size_t max_depth, Message& root)
      : json_(json), max_depth_(max_depth), root_(root) {}

  [[nodiscard]] JsonReading Take() { return std::move(reading_); }

  bool null() override { return Value(nullptr); }
  bool boolean(bool value) override { return Value(value); }
  bool number_integer(number_integer_t value) override { return Value(value); }
  bool number_unsigned(number_unsigned_t value) override { return Value(value); }
  bool number_float(number_float_t value, const string_t&) override { return Value(value); }
  bool string(string_t& value) override { return Value(std::string_view(value)); }
  bool binary(binary_t&) override { return NotAnObject(); }  // JSON text holds none

  bool start_object(std::size_t) override {
    if (!Enter()) return false;
    awaits_value_ = false;
    if (Skips()) return true;
    if (levels_.empty()) {
      levels_.push_back(Level{.kind = Level::Kind::kMessage, .message = &root_});
      return true;
    }
    const FieldDescriptor& field = *ValueField();
    Message& owner = *levels_.back().message;
    Level level{.message = &owner, .field = &field, .path = ValuePath()};
    if (field.is_map()) {
      level.kind = Level::Kind::kMap;
    } else if (LacksArray(field)) {
      return Skip() && WrongType("an object, where a list belongs", "a list");
    } else if (field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE && !IsDuration(field) &&
               levels_.back().kind != Level::Kind::kMap) {
      level.message = field.is_repeated() ? owner.GetReflection()->AddMessage(&owner, &field)
                                          : owner.GetReflection()->MutableMessage(&owner, &field);
    } else {
      const std::string expected(ExpectedKind(field));
      return Skip() && WrongType(fmt::format("an object, where {} belongs", expected), expected);
    }
    Taken();
    levels_.push_back(std::move(level));
    return true;
  }

  bool key(string_t& name) override {
    if (skipped_ > 0) return true;
    awaits_value_ = true;
    Level& level = levels_.back();
    if (level.kind == Level::Kind::kMap) {
      level.value_field = level.field->message_type()->map_value();
      level.value_path = fmt::format("{}[{}]", level.path, Quoted(name, 64));
      level.map_key = name;
      return level.seen.insert(name).second || Duplicate(level.value_path);
    }
    const Descriptor& type = *level.message->GetDescriptor();
    const FieldDescriptor* field = FieldOf(type, name);
    const std::string prefix = level.path.empty() ? "" : level.path + ".";
    if (field == nullptr) {
      pass_over_ = true;
      return Fault("spec.unknown-field", prefix + Printable(name, 64), "no such field",
                   Known(type));
    }
    level.value_field = field;
    level.value_path = prefix + field->json_name();
    if (!level.seen.insert(field->name()).second) return Duplicate(level.value_path);
    const auto* oneof = field->real_containing_oneof();
    const auto* other = oneof == nullptr ? nullptr
                                         : level.message->GetReflection()->GetOneofFieldDescriptor(
                                               *level.message, oneof);
    if (other == nullptr) return true;
    pass_over_ = true;
    return Fault("spec.wrong-type", level.path,
                 fmt::format("{} beside {}", field->json_name(), other->json_name()),
                 fmt::format("one {} alone", oneof->name()));
  }

  bool end_object() override {
    if (skipped_ > 0) {
      --skipped_;
    } else {
      levels_.pop_back();
    }
    return true;
  }

  bool start_array(std::size_t) override {
    if (!Enter()) return false;
    awaits_value_ = false;
    if (Skips()) return true;
    if (levels_.empty()) return NotAnObject();
    const FieldDescriptor& field = *ValueField();
    if (!field.is_repeated() || field.is_map() || levels_.back().kind == Level::Kind::kArray) {
      return Skip() &&
             WrongType("a list, where one value belongs", "see the field in run_spec.proto");
    }
    levels_.push_back(Level{.kind = Level::Kind::kArray,
                            .message = levels_.back().message,
                            .field = &field,
                            .path = ValuePath()});
    return true;
  }

  bool end_array() override { return end_object(); }

  bool parse_error(std::size_t position, const std::string&,
                   const nlohmann::detail::exception&) override {
    // The library's own text repeats the input; the position is what helps.
    return End("spec.syntax", Place(), fmt::format("no JSON at byte {}", json_.Original(position)),
               "one JSON object, RFC 8259");
  }

 private:
  bool Value(const JsonScalar& value) {
    awaits_value_ = false;
    if (std::exchange(pass_over_, false) || skipped_ > 0) return true;
    if (levels_.empty()) return NotAnObject();
    const FieldDescriptor& field = *ValueField();
    const bool is_null = std::holds_alternative<std::nullptr_t>(value);
    // A null leaves a field of a message absent; an element or a map's value cannot be that, and a
    // list that is none is more likely a template's mistake than a wish.
    if (is_null && levels_.back().kind == Level::Kind::kMessage && !field.is_repeated())
      return true;
    if (field.is_map()) return WrongType("a plain value, where an object belongs", "an object");
    if (LacksArray(field)) return WrongType("a plain value, where a list belongs", "a list");
    if (auto misfit = SetScalar(value, field, Target(field))) {
      return WrongType(std::move(misfit->message), std::move(misfit->remedy));
    }
    Taken();
    return true;
  }

  // The message whose `field` takes the next value: for a map a new entry of it.
  Message& Target(const FieldDescriptor& field) {
    Level& level = levels_.back();
    if (level.kind != Level::Kind::kMap) return *level.message;
    Message& owner = *level.message;
    Message& entry = *owner.GetReflection()->AddMessage(&owner, level.field);
    entry.GetReflection()->SetString(&entry, field.containing_type()->map_key(), level.map_key);
    return entry;
  }

  // Whether `field`, whose value comes next, is repeated and no list has been opened for it.
  [[nodiscard]] bool LacksArray(const FieldDescriptor& field) const {
    return field.is_repeated() && levels_.back().kind != Level::Kind::kArray;
  }

  // The value that ValuePath() names has been read, or is being entered.
  void Taken() {
    if (levels_.back().kind == Level::Kind::kArray) ++levels_.back().next_index;
  }

  // An object or array that begins: whether it is not too deep.
  bool Enter() {
    if (levels_.size() + skipped_ < max_depth_) return true;
    return End("spec.syntax", Place(), fmt::format("nested deeper than {} levels", max_depth_),
               "a RunSpec needs 5");
  }

  // Whether the object or array that begins is passed over.
  bool Skips() {
    if (!std::exchange(pass_over_, false) && skipped_ == 0) return false;
    return Skip();
  }
  bool Skip() {
    ++skipped_;
    return true;
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

  // Of the value that is awaited, or of the object or array that is open.
  [[nodiscard]] std::string Place() const {
    if (levels_.empty()) return "";
    return awaits_value_ ? levels_.back().value_path : levels_.back().path;
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
    pass_over_ = true;
    return Fault("spec.duplicate-field", std::move(path), "given twice", "give it once");
  }

  bool WrongType(std::string message, std::string remedy) {
    std::string path = ValuePath();
    if (levels_.back().kind == Level::Kind::kArray) {
      // The elements behind it keep their index.
      AddEmpty(*ValueField(), *levels_.back().message);
      Taken();
    }
    return Fault("spec.wrong-type", std::move(path), std::move(message), std::move(remedy));
  }

  static void AddEmpty(const FieldDescriptor& field, Message& message) {
    if (field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
      message.GetReflection()->AddMessage(&message, &field);
    } else if (field.cpp_type() == FieldDescriptor::CPPTYPE_STRING) {
      message.GetReflection()->AddString(&message, &field, "");
    }
  }

  bool NotAnObject() {
    return End("spec.wrong-type", "", "the text is no JSON object", "{\"image\": \"...\"}");
  }

  bool Fault(std::string rule, std::string field, std::string message, std::string remedy) {
    reading_.faults.push_back({.rule = std::move(rule),
                               .field = std::move(field),
                               .message = std::move(message),
                               .remedy = std::move(remedy)});
    reading_.complete = reading_.complete && reading_.faults.size() < kMaxFaults;
    return reading_.complete;
  }

  bool End(std::string rule, std::string field, std::string message, std::string remedy) {
    reading_.complete = false;
    return Fault(std::move(rule), std::move(field), std::move(message), std::move(remedy));
  }

  const FittedJson& json_;
  const std::size_t max_depth_;
  Message& root_;
  std::vector<Level> levels_;
  std::size_t skipped_ = 0;    // open objects and arrays that are passed over
  bool pass_over_ = false;     // the next value
  bool awaits_value_ = false;  // of the key just read
  JsonReading reading_;
};

}  // namespace

JsonReading ReadJson(std::string_view json, std::size_t max_depth, Message& message) {
  const FittedJson fitted(json);
  Reader reader(fitted, max_depth, message);
  nlohmann::json::sax_parse(fitted.text(), &reader);
  return reader.Take();
}

}  // namespace tidewaiter::wire
