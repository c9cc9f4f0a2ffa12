// Aligned `key  value` lines.
#pragma once

#include <string>

#include "terminal.hpp"

namespace batch::cli {

/// What is empty is left out.
class Facts {
 public:
  explicit Facts(const Terminal& terminal) : terminal_(terminal) {}
  void add(const std::string& key, const std::string& value) {
    if (value.empty()) return;
    text_ += paint(terminal_, "1", key) + std::string(key.size() < 14 ? 14 - key.size() : 1, ' ') +
             value + '\n';
  }
  const std::string& text() const { return text_; }

 private:
  const Terminal& terminal_;
  std::string text_;
};

}  // namespace batch::cli
