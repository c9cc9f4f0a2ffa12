// Tables that fit the terminal.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "terminal.hpp"

namespace batch::cli {

struct Column {
  std::string title;
  bool right = false;    ///< numbers
  bool shrinks = false;  ///< cut first where the terminal is narrow
};

/// Cells are escaped text; a cell may be painted, and its colour takes no room.
class Table {
 public:
  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}

  /// Escapes nothing: the caller has.
  void add(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }
  bool empty() const { return rows_.empty(); }
  std::string render(const Terminal& terminal, bool headers) const;

 private:
  std::vector<std::size_t> fit(const Terminal& terminal, bool headers) const;

  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace batch::cli
