// Terminal detection by the usual rules: isatty, NO_COLOR, TERM=dumb, the locale.
#include "terminal.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <charconv>
#include <cstdlib>
#include <initializer_list>

namespace batch::cli {

namespace {

std::string_view variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string_view() : value;
}

bool locale_is_utf8() {
  for (const char* name : {"LC_ALL", "LC_CTYPE", "LANG"}) {
    const std::string_view value = variable(name);
    if (value.empty()) continue;
    return value.find("UTF-8") != value.npos || value.find("utf8") != value.npos;
  }
  return false;
}

struct StateLook {
  std::string_view state;
  std::string_view symbol;
  std::string_view color;
};

// Shapes differ as well as colours, for those who see few of them.
constexpr StateLook looks[] = {
    {"pending", "◌", "33"},       {"held", "◫", "35"},     {"running", "▶", "36"},
    {"finished", "✔", "32"},      {"failed", "✘", "31"},   {"cancelled", "⊘", "90"},
    {"staging", "◌", "33"},       {"starting", "◌", "33"}, {"killing", "▷", "33"},
    {"killed", "⊘", "90"},        {"lost", "?", "31"},     {"unreachable", "?", "31"},
    {"gone", "✘", "31"},          {"admitted", "●", "32"}, {"satisfied", "✔", "32"},
    {"unsatisfiable", "✘", "31"},
};

}  // namespace

Terminal Terminal::detect(int fd, ColorChoice choice) {
  Terminal terminal;
  terminal.is_tty = ::isatty(fd) == 1;
  terminal.utf8 = locale_is_utf8();
  const bool wanted = variable("NO_COLOR").empty() && variable("TERM") != "dumb";
  terminal.color = choice == ColorChoice::always ||
                   (choice == ColorChoice::automatic && terminal.is_tty && wanted);
  terminal.symbols = terminal.utf8 && (terminal.is_tty || choice == ColorChoice::always);
  winsize size{};
  if (terminal.is_tty && ::ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) {
    terminal.width = size.ws_col;
  } else if (const std::string_view columns = variable("COLUMNS"); !columns.empty()) {
    // Exported by scripts whose terminal shows what they capture.
    std::from_chars(columns.data(), columns.data() + columns.size(), terminal.width);
  }
  return terminal;
}

std::string paint(const Terminal& terminal, std::string_view code, std::string_view text) {
  if (!terminal.color || text.empty()) return std::string(text);
  return "\x1b[" + std::string(code) + 'm' + std::string(text) + "\x1b[0m";
}

std::string paint_state(const Terminal& terminal, std::string_view state) {
  for (const StateLook& look : looks) {
    if (look.state != state) continue;
    std::string text(state);
    if (terminal.symbols) text = std::string(look.symbol) + ' ' + text;
    return paint(terminal, look.color, text);
  }
  return std::string(state);
}

}  // namespace batch::cli
