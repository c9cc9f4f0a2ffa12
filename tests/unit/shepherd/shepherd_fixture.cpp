// Starts the real program beside the test's own, and speaks to it as an agent does.
#include "unit/shepherd/shepherd_fixture.hpp"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <thread>

#include "librm/wire/message.hpp"
#include "shepherd/processes.hpp"

namespace librm::shepherd {
namespace {

using Clock = std::chrono::steady_clock;

pid_t spawn_program(const std::vector<std::string>& arguments) {
  const std::string path = ShepherdProcess::program();
  std::vector<char*> pointers{const_cast<char*>(path.c_str())};
  for (const std::string& text : arguments) pointers.push_back(const_cast<char*>(text.c_str()));
  pointers.push_back(nullptr);
  pid_t pid = 0;
  const int reason = ::posix_spawn(&pid, path.c_str(), nullptr, nullptr, pointers.data(), environ);
  return reason == 0 ? pid : -1;
}

int wait_for(pid_t pid) {
  int status = 0;
  if (pid <= 0 || ::waitpid(pid, &status, 0) != pid) return -1000;
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

/// A socket's name may be longer than an address: it goes through its directory.
Descriptor connect_to(const std::string& path) {
  const std::filesystem::path whole(path);
  const Descriptor directory(::open(whole.parent_path().c_str(), O_PATH | O_CLOEXEC));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string text =
      "/proc/self/fd/" + std::to_string(directory.get()) + "/" + whole.filename().string();
  std::memcpy(address.sun_path, text.c_str(), text.size() + 1);
  Descriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (::connect(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0) {
    return socket;
  }
  return {};
}

}  // namespace

/// Programs of one build are in one directory; RM_BIN_DIR names another.
std::string ShepherdProcess::program() {
  if (const char* directory = std::getenv("RM_BIN_DIR")) {
    return std::string(directory) + "/rm-shepherd";
  }
  return std::filesystem::read_symlink("/proc/self/exe").parent_path() / "rm-shepherd";
}

bool eventually(const std::function<bool()>& condition) {
  const auto limit = Clock::now() + test_limit;
  while (!condition()) {
    if (Clock::now() > limit) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return true;
}

TemporaryDirectory::TemporaryDirectory() {
  std::string pattern = std::filesystem::temp_directory_path() / "rm-shepherd-test-XXXXXX";
  path_ = ::mkdtemp(pattern.data());
}

TemporaryDirectory::~TemporaryDirectory() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

FakeAgent::FakeAgent(const std::string& socket_path) {
  // What a killed shepherd leaves can hold its listening socket for a moment, unanswered.
  eventually([&] {
    socket_ = connect_to(socket_path);
    return until([&] { return state.has_value(); });
  });
}

void FakeAgent::send(const ShepherdMessage& message) {
  send_bytes(encode_shepherd_message(message, sequencer_.next_to_send()));
}

void FakeAgent::send_bytes(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (count <= 0) return;
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
}

bool FakeAgent::until(const std::function<bool()>& condition) {
  const auto limit = Clock::now() + test_limit;
  while (!condition()) {
    if (Clock::now() > limit || !connected() || !receive()) return false;
  }
  return true;
}

bool FakeAgent::until_closed() {
  until([] { return false; });
  return !connected();
}

TaskEnd FakeAgent::end_of(const TaskKey& key) {
  until([&] { return ended.contains(key); });
  return ended[key];
}

bool FakeAgent::receive() {
  pollfd wanted{socket_.get(), POLLIN, 0};
  if (::poll(&wanted, 1, 1000) == 0) return true;
  char buffer[65536];
  const ssize_t count = ::recv(socket_.get(), buffer, sizeof buffer, 0);
  if (count <= 0) {
    socket_.reset();
    return false;
  }
  reader_.feed({buffer, static_cast<std::size_t>(count)});
  for (;;) {
    auto frame = reader_.next();
    if (!frame) return false;
    if (!*frame) return true;
    auto message = decode_shepherd_message((*frame)->header, (*frame)->payload);
    if (!message) return false;
    take(*message);
  }
}

void FakeAgent::take(const ShepherdMessage& message) {
  ++messages;
  auto take_lists = [this](const auto& started, const auto& ends) {
    for (const TaskProcess& process : started) running[process.key] = process;
    for (const TaskEnd& end : ends) {
      running.erase(end.key);
      if (!ended.emplace(end.key, end).second) ++ended_twice;
    }
  };
  if (const auto* whole = std::get_if<ShepherdState>(&message)) {
    state = *whole;
    take_lists(whole->running, whole->ended);
  } else if (const auto* progress = std::get_if<TaskProgress>(&message)) {
    take_lists(progress->started, progress->ended);
  }
}

ShepherdProcess::ShepherdProcess(std::string socket_path)
    : socket_path_(socket_path.empty() ? directory_.path() + "/shepherd.sock"
                                       : std::move(socket_path)) {
  start();
}

ShepherdProcess::~ShepherdProcess() {
  if (!alive(pid_)) start();
  FakeAgent agent = connect();
  agent.send(ShutdownShepherd{});
  agent.until_closed();
  if (!eventually([&] { return !alive(pid_); })) ::kill(pid_, SIGKILL);
  wait();
}

void ShepherdProcess::start() {
  if (pid_ > 0) wait();
  pid_ = spawn_program({"--work-dir", work_dir(), "--socket", socket_path_, "--log"});
}

void ShepherdProcess::stop(int signal) {
  ::kill(pid_, signal);
  wait();
}

int ShepherdProcess::wait() {
  const int result = wait_for(pid_);
  pid_ = 0;
  return result;
}

TaskStart ShepherdProcess::task(const std::string& command) {
  TaskStart start;
  start.key = {FrameworkId{1}, std::to_string(++tasks_) + ".1.1"};
  start.command.value = command;
  start.sandbox = work_dir() + "/runs/f-1/" + start.key.task;
  std::filesystem::create_directories(start.sandbox);
  return start;
}

std::string ShepherdProcess::output(const TaskKey& key, const std::string& stream) const {
  return read_text(work_dir() + "/runs/f-1/" + key.task + "/" + stream);
}

int ShepherdProcess::run(const std::vector<std::string>& arguments) {
  return wait_for(spawn_program(arguments));
}

std::string read_text(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

bool alive(pid_t pid) {
  if (pid <= 0) return false;
  const auto stat = read_stat(pid);
  return stat && stat->state != 'Z' && stat->state != 'X';
}

}  // namespace librm::shepherd
