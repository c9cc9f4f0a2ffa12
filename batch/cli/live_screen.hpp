// Pictures that are drawn again and again in the same place, and the signals that matter meanwhile.
#pragma once

#include <cstddef>
#include <optional>
#include <string>

namespace batch::cli {

struct TerminalSize {
  std::size_t columns = 80;
  std::size_t rows = 24;
};
/// Of the terminal behind `fd`; 80 x 24 where it does not say.
TerminalSize terminal_size(int fd);

/// SIGINT, SIGTERM and SIGWINCH as something that can be polled. They interrupt nothing while it
/// lives; one object in a process.
class TerminalSignals {
 public:
  TerminalSignals();
  ~TerminalSignals();
  TerminalSignals(const TerminalSignals&) = delete;
  TerminalSignals& operator=(const TerminalSignals&) = delete;

  int fd() const { return fd_; }
  /// The next one that has come, if any. Never blocks.
  std::optional<int> take();

 private:
  int fd_;
};

/// Draws on stdout, which is a terminal. What was drawn last stays when it goes, unless it took the
/// whole screen: then what was there before is back.
class LiveScreen {
 public:
  enum class Place { below, whole_screen };
  explicit LiveScreen(Place place);
  ~LiveScreen();
  LiveScreen(const LiveScreen&) = delete;
  LiveScreen& operator=(const LiveScreen&) = delete;

  /// Lines that are no wider than the terminal, each with its newline; what does not fit the height
  /// is left out at the end.
  void draw(const std::string& picture);

 private:
  Place place_;
  std::size_t lines_ = 0;  ///< of the picture that is there
};

/// Single key presses from stdin, where it is a terminal; else there are none.
class Keys {
 public:
  Keys();
  ~Keys();
  Keys(const Keys&) = delete;
  Keys& operator=(const Keys&) = delete;

  /// -1 where there are none.
  int fd() const { return fd_; }
  /// What was pressed, if anything. Never blocks.
  std::optional<char> take();

 private:
  int fd_ = -1;
  struct Saved;
  Saved* saved_ = nullptr;
};

}  // namespace batch::cli
