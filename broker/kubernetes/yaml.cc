#include "broker/kubernetes/yaml.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <new>
#include <set>
#include <sstream>
#include <utility>

#include "base/printable.h"

namespace tidewaiter::kubernetes {
namespace {

// Ends the parser from inside its callbacks; caught in ParseYaml and nowhere else.
struct Refusal {
  Error error;
};

std::string At(const YAML::Mark& mark) {
  if (mark.is_null()) return "";
  return std::to_string(mark.line + 1) + ":" + std::to_string(mark.column + 1) + ": ";
}

[[noreturn]] void Refuse(const YAML::Mark& mark, const std::string& why,
                         ErrorCode code = ErrorCode::kInvalidArgument) {
  throw Refusal{Fail(code, At(mark) + why)};
}

// Tags that the parser makes up: of plain text, and of what is quoted.
bool IsExplicit(const std::string& tag) {
  return !tag.empty() && tag != "?" && tag != "!";
}

class Builder final : public YAML::EventHandler {
 public:
  YamlNode Take() { return std::move(document_); }

  void OnDocumentStart(const YAML::Mark& /*mark*/) override {}
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    Add(mark, "", anchor, YamlNode::Kind::kNull);
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t /*anchor*/) override {
    Refuse(mark, "aliases are not supported");
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    if (AwaitsKey()) {
      CheckNode(mark, tag, anchor);
      SetKey(mark, value);
      return;
    }
    YamlNode& node = Add(mark, tag, anchor, YamlNode::Kind::kText);
    node.text = value;
    node.plain = tag == "?";
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value /*style*/) override {
    Open(mark, tag, anchor, YamlNode::Kind::kList);
  }
  void OnSequenceEnd() override { open_.pop_back(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value /*style*/) override {
    Open(mark, tag, anchor, YamlNode::Kind::kMap);
  }
  void OnMapEnd() override { open_.pop_back(); }

 private:
  // A list or map whose end has not come. Its node stays where it is: its container gets no other
  // until it is closed.
  struct Level {
    YamlNode* node = nullptr;
    std::set<std::string> keys;
  };

  [[nodiscard]] bool AwaitsKey() const {
    return !open_.empty() && open_.back().node->kind == YamlNode::Kind::kMap &&
           open_.back().node->keys.size() == open_.back().node->items.size();
  }

  void CheckNode(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor) {
    if (anchor != 0) Refuse(mark, "anchors are not supported");
    if (IsExplicit(tag)) Refuse(mark, "tags are not supported");
    if (++nodes_ > kMaxYamlNodes) {
      Refuse(mark, "more than " + std::to_string(kMaxYamlNodes) + " values",
             ErrorCode::kResourceExhausted);
    }
  }

  void SetKey(const YAML::Mark& mark, const std::string& key) {
    if (key == "<<") Refuse(mark, "merge keys are not supported");
    if (!open_.back().keys.insert(key).second) Refuse(mark, "the same key a second time");
    open_.back().node->keys.push_back(key);
  }

  YamlNode& Add(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                YamlNode::Kind kind) {
    CheckNode(mark, tag, anchor);
    if (AwaitsKey()) Refuse(mark, "a key that is no text");
    YamlNode& node = open_.empty() ? document_ : open_.back().node->items.emplace_back();
    node.kind = kind;
    node.line = mark.line + 1;
    node.column = mark.column + 1;
    return node;
  }

  void Open(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
            YamlNode::Kind kind) {
    // Before the parser goes down one level more, on its own stack.
    if (open_.size() >= kMaxYamlDepth) {
      Refuse(mark, "nested more than " + std::to_string(kMaxYamlDepth) + " deep",
             ErrorCode::kResourceExhausted);
    }
    YamlNode& node = Add(mark, tag, anchor, kind);
    open_.push_back({.node = &node, .keys = {}});
  }

  YamlNode document_;
  std::vector<Level> open_;
  std::size_t nodes_ = 0;
};

// For a second document, which is none of ours.
class Nobody final : public YAML::EventHandler {
 public:
  void OnDocumentStart(const YAML::Mark& mark) override { Refuse(mark, "a second document"); }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& /*mark*/, YAML::anchor_t /*anchor*/) override {}
  void OnAlias(const YAML::Mark& /*mark*/, YAML::anchor_t /*anchor*/) override {}
  void OnScalar(const YAML::Mark& /*mark*/, const std::string& /*tag*/, YAML::anchor_t /*anchor*/,
                const std::string& /*value*/) override {}
  void OnSequenceStart(const YAML::Mark& /*mark*/, const std::string& /*tag*/,
                       YAML::anchor_t /*anchor*/, YAML::EmitterStyle::value /*style*/) override {}
  void OnSequenceEnd() override {}
  void OnMapStart(const YAML::Mark& /*mark*/, const std::string& /*tag*/, YAML::anchor_t /*anchor*/,
                  YAML::EmitterStyle::value /*style*/) override {}
  void OnMapEnd() override {}
};

// The parser would read UTF-16 and UTF-32 too, which nobody expects in a configuration.
bool IsPlainUtf8(std::string_view text) {
  return IsUtf8(text) && std::none_of(text.begin(), text.end(), [](char c) {
           const auto byte = static_cast<unsigned char>(c);
           return (byte < 0x20 && c != '\t' && c != '\n' && c != '\r') || byte == 0x7f;
         });
}

// The parser's words, without what follows a colon in them: there it quotes the text.
std::string CauseOf(const YAML::Exception& exception) {
  return exception.msg.substr(0, exception.msg.find(':'));
}

}  // namespace

const YamlNode* YamlNode::Find(std::string_view key) const noexcept {
  if (kind != Kind::kMap) return nullptr;
  const auto found = std::find(keys.begin(), keys.end(), key);
  return found == keys.end() ? nullptr : &items[static_cast<std::size_t>(found - keys.begin())];
}

Result<YamlNode> ParseYaml(std::string_view text) {
  if (text.size() > kMaxYamlBytes) {
    return Fail(ErrorCode::kResourceExhausted,
                "more than " + std::to_string(kMaxYamlBytes) + " bytes");
  }
  if (!IsPlainUtf8(text)) {
    return Fail(ErrorCode::kInvalidArgument, "not UTF-8, or with control characters");
  }
  try {
    std::istringstream stream{std::string(text)};
    YAML::Parser parser(stream);
    Builder builder;
    parser.HandleNextDocument(builder);
    Nobody nobody;
    parser.HandleNextDocument(nobody);
    return builder.Take();
  } catch (const Refusal& refusal) {
    return refusal.error;
  } catch (const YAML::Exception& exception) {
    return Fail(ErrorCode::kInvalidArgument, At(exception.mark) + CauseOf(exception));
  } catch (const std::bad_alloc&) {
    return Fail(ErrorCode::kResourceExhausted, "out of memory");
  } catch (const std::exception&) {
    return Fail(ErrorCode::kInvalidArgument, "not YAML");
  }
}

}  // namespace tidewaiter::kubernetes
