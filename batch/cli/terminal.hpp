// What the terminal can show, and the one colour and symbol that each state has.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace batch::cli {

/// auto: where the stream is a terminal and NO_COLOR is not set.
enum class ColorChoice { automatic, always, never };

/// Of one output stream.
struct Terminal {
  bool is_tty = false;
  bool color = false;
  bool utf8 = false;
  bool symbols = false;   ///< beside the states' names
  std::size_t width = 0;  ///< columns; 0 where output is not to be cut

  static Terminal detect(int fd, ColorChoice choice);
};

/// `code` is an SGR parameter such as `1;31`.
std::string paint(const Terminal& terminal, std::string_view code, std::string_view text);
/// A job's, task's or node's state with its symbol and colour, as far as the terminal has them.
std::string paint_state(const Terminal& terminal, std::string_view state);

}  // namespace batch::cli
