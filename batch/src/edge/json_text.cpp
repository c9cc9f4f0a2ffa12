// JSON text to a value: what breaks a limit is refused before it is built.
#include "json_text.hpp"

#include <algorithm>
#include <utility>
#include <vector>

#include "batch/edge/job_json.hpp"

namespace batch {

namespace {

using nlohmann::json;

/// Builds the value while the parser reads, and ends it at the first thing that is wrong. (The
/// parser's own callbacks could do the same, but look at all of an array after each element.)
class Builder final : public nlohmann::json_sax<json> {
 public:
  bool null() override { return add(nullptr) != nullptr; }
  bool boolean(bool value) override { return add(value) != nullptr; }
  bool number_integer(number_integer_t value) override { return add(value) != nullptr; }
  bool number_unsigned(number_unsigned_t value) override { return add(value) != nullptr; }
  bool number_float(number_float_t value, const string_t&) override {
    return add(value) != nullptr;
  }
  bool string(string_t& value) override { return add(std::move(value)) != nullptr; }
  bool binary(binary_t&) override { return false; }  // not in JSON
  bool start_object(std::size_t) override { return enter(json::object()); }
  bool start_array(std::size_t) override { return enter(json::array()); }
  bool end_object() override { return leave(); }
  bool end_array() override { return leave(); }
  bool key(string_t& name) override {
    levels_.back().key = std::move(name);
    if (!levels_.back().container->contains(levels_.back().key)) return true;
    error_ = input_error({{path(), "this key comes twice"}});
    return false;
  }
  bool parse_error(std::size_t, const std::string&, const json::exception& error) override;

  /// Of no use where error() is set.
  json& value() { return value_; }
  std::optional<InputError>& error() { return error_; }

 private:
  struct Level {
    json* container;
    std::string key;  ///< of an object's member that is being read
  };

  json* add(json value) {
    if (levels_.empty()) return &(value_ = std::move(value));
    Level& level = levels_.back();
    if (level.container->is_array()) {
      return &level.container->emplace_back(std::move(value));
    }
    return &((*level.container)[level.key] = std::move(value));
  }
  bool enter(json container) {
    if (levels_.size() == json_depth_max) {
      error_ = input_error({{path(), "nested deeper than " + std::to_string(json_depth_max)}});
      return false;
    }
    levels_.push_back({add(std::move(container)), {}});
    return true;
  }
  bool leave() {
    levels_.pop_back();
    return true;
  }
  std::string path() const {
    std::string path;
    for (std::size_t i = 0; i < levels_.size(); ++i) {
      const json& container = *levels_[i].container;
      // What is inside of the outer ones is there already, what comes next is not.
      const std::size_t index = container.size() - (i + 1 < levels_.size() ? 1 : 0);
      path = pointer(path, container.is_object() ? levels_[i].key : std::to_string(index));
    }
    return path;
  }

  json value_;
  std::vector<Level> levels_;
  std::optional<InputError> error_;
};

/// The parser's message without its own name and without the bytes it had read.
std::string plain(std::string message) {
  if (const auto end = message.find("] "); message[0] == '[' && end != std::string::npos) {
    message.erase(0, end + 2);
  }
  if (const auto bytes = message.find("; last read"); bytes != std::string::npos) {
    message.erase(bytes);
  }
  return message;
}

bool Builder::parse_error(std::size_t, const std::string&, const json::exception& error) {
  error_ = input_error("not JSON: " + plain(error.what()));
  return false;
}

}  // namespace

std::optional<std::size_t> find_invalid_utf8(std::string_view text) {
  const auto byte = [&](std::size_t i) {
    return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u;
  };
  for (std::size_t i = 0; i < text.size();) {
    const unsigned lead = byte(i);
    std::size_t more = 0;
    unsigned low = 0x80;  // of the second byte: no overlong forms, surrogates, beyond U+10FFFF
    unsigned high = 0xbf;
    if (lead < 0x80) {
      ++i;
      continue;
    }
    if (lead >= 0xc2 && lead <= 0xdf) {
      more = 1;
    } else if (lead >= 0xe0 && lead <= 0xef) {
      more = 2;
      if (lead == 0xe0) low = 0xa0;
      if (lead == 0xed) high = 0x9f;
    } else if (lead >= 0xf0 && lead <= 0xf4) {
      more = 3;
      if (lead == 0xf0) low = 0x90;
      if (lead == 0xf4) high = 0x8f;
    } else {
      return i;
    }
    if (byte(i + 1) < low || byte(i + 1) > high) return i;
    for (std::size_t k = 2; k <= more; ++k) {
      if (byte(i + k) < 0x80 || byte(i + k) > 0xbf) return i;
    }
    i += more + 1;
  }
  return std::nullopt;
}

InputError input_error(std::string message) {
  return {{librm::ErrorCode::invalid_argument, std::move(message)}, {}};
}

InputError input_error(std::vector<FieldError> fields) {
  std::string message = fields.front().path;
  message += (message.empty() ? "" : ": ") + fields.front().detail;
  if (fields.size() > 1) message += " (and " + std::to_string(fields.size() - 1) + " more)";
  return {{librm::ErrorCode::invalid_argument, std::move(message)}, std::move(fields)};
}

std::string shown(const json& value) {
  std::string text = value.dump(-1, ' ', true, json::error_handler_t::replace);
  if (text.size() > 40) text = text.substr(0, 37) + "...";
  return text;
}

std::string pointer(const std::string& parent, std::string_view key) {
  std::string path = parent + '/';
  for (char c : key) {
    if (c == '~')
      path += "~0";
    else if (c == '/')
      path += "~1";
    else
      path += c;
  }
  return path;
}

InputResult<json> parse_json(std::string_view text, std::size_t size_max) {
  const auto wrong = [](std::string message) {
    return tl::unexpected(input_error(std::move(message)));
  };
  if (text.size() > size_max) {
    return wrong("the text has " + std::to_string(text.size()) + " bytes, at most " +
                 std::to_string(size_max));
  }
  if (const auto at = find_invalid_utf8(text)) {
    return wrong("not UTF-8 at byte " + std::to_string(*at + 1));
  }
  Builder builder;
  if (!json::sax_parse(text.begin(), text.end(), &builder)) {
    return tl::unexpected(std::move(builder.error().value()));
  }
  return std::move(builder.value());
}

}  // namespace batch
