// Cursor movements, signalfd, and the terminal's mode for single keys.
#include "live_screen.hpp"

#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

#include "log_stream.hpp"

namespace batch::cli {

namespace {

sigset_t watched_signals() {
  sigset_t set;
  ::sigemptyset(&set);
  for (const int number : {SIGINT, SIGTERM, SIGWINCH}) ::sigaddset(&set, number);
  return set;
}

}  // namespace

TerminalSize terminal_size(int fd) {
  TerminalSize size;
  winsize window{};
  if (::ioctl(fd, TIOCGWINSZ, &window) != 0) return size;
  if (window.ws_col > 0) size.columns = window.ws_col;
  if (window.ws_row > 0) size.rows = window.ws_row;
  return size;
}

TerminalSignals::TerminalSignals() {
  const sigset_t set = watched_signals();
  ::sigprocmask(SIG_BLOCK, &set, nullptr);
  fd_ = ::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

TerminalSignals::~TerminalSignals() {
  if (fd_ >= 0) ::close(fd_);
  const sigset_t set = watched_signals();
  ::sigprocmask(SIG_UNBLOCK, &set, nullptr);
}

std::optional<int> TerminalSignals::take() {
  signalfd_siginfo info{};
  if (::read(fd_, &info, sizeof info) != sizeof info) return std::nullopt;
  return static_cast<int>(info.ssi_signo);
}

LiveScreen::LiveScreen(Place place) : place_(place) {
  write_all(1, place_ == Place::below ? "\x1b[?25l" : "\x1b[?1049h\x1b[?25l\x1b[H");
}

LiveScreen::~LiveScreen() {
  write_all(1, place_ == Place::below ? "\x1b[?25h" : "\x1b[?25h\x1b[?1049l");
}

void LiveScreen::draw(const std::string& picture) {
  // One row is left for the cursor below the last line.
  const std::size_t rows = terminal_size(1).rows - 1;
  std::string text = place_ == Place::whole_screen ? "\x1b[H"
                     : lines_ == 0                 ? "\r"
                                                   : "\x1b[" + std::to_string(lines_) + "A\r";
  std::size_t lines = 0;
  for (std::size_t at = 0; at < picture.size() && lines < rows; ++lines) {
    const std::size_t end = picture.find('\n', at);
    text += picture.substr(at, end - at) + "\x1b[K\n";
    at = end == picture.npos ? picture.size() : end + 1;
  }
  // In one piece, so that no half of a picture is seen.
  write_all(1, text + "\x1b[J");
  lines_ = lines;
}

struct Keys::Saved {
  termios mode;
};

Keys::Keys() {
  if (::isatty(0) != 1) return;
  termios mode{};
  if (::tcgetattr(0, &mode) != 0) return;
  saved_ = new Saved{mode};
  mode.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
  ::tcsetattr(0, TCSANOW, &mode);
  fd_ = 0;
}

Keys::~Keys() {
  if (saved_ != nullptr) ::tcsetattr(0, TCSANOW, &saved_->mode);
  delete saved_;
}

std::optional<char> Keys::take() {
  pollfd waiting{fd_, POLLIN, 0};
  char key = 0;
  if (fd_ < 0 || ::poll(&waiting, 1, 0) != 1 || ::read(fd_, &key, 1) != 1) return std::nullopt;
  return key;
}

}  // namespace batch::cli
