// `rmctl backup` and `rmctl restore`: a master's whole state, to a file and back.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstring>
#include <memory>
#include <string>

#include "backup.hpp"
#include "facts.hpp"
#include "journal_program.hpp"
#include "journal_view.hpp"
#include "master.hpp"
#include "text.hpp"

namespace batch::cli {

using librm::ErrorCode;
using librm::fail;
using librm::Result;

namespace {

constexpr int copy_timeout_ms = 600'000;  // the master copies its state before it answers
constexpr int stream_timeout_ms = 60'000;

/// Beside its name until all of it is there.
class NewFile {
 public:
  explicit NewFile(std::string path)
      : path_(std::move(path)),
        part_(path_ + ".part"),
        fd_(::open(part_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600)) {}
  ~NewFile() {
    if (fd_ >= 0) ::close(fd_);
    if (!kept_) ::unlink(part_.c_str());
  }
  NewFile(const NewFile&) = delete;
  NewFile& operator=(const NewFile&) = delete;

  bool is_open() const { return fd_ >= 0; }
  std::uint64_t bytes() const { return bytes_; }
  const std::string& part() const { return part_; }
  Result<void> write(std::string_view data) {
    while (!data.empty()) {
      const ssize_t size = ::write(fd_, data.data(), data.size());
      if (size < 0 && errno == EINTR) continue;
      if (size < 0) return error();
      bytes_ += static_cast<std::uint64_t>(size);
      data.remove_prefix(static_cast<std::size_t>(size));
    }
    return {};
  }
  Result<void> keep() {
    if (::fsync(fd_) != 0 || ::rename(part_.c_str(), path_.c_str()) != 0) return error();
    kept_ = true;
    return {};
  }
  tl::unexpected<librm::Error> error() const {
    return fail(ErrorCode::io_error, path_ + ": " + ::strerror(errno));
  }

 private:
  const std::string path_;
  const std::string part_;
  const int fd_;
  std::uint64_t bytes_ = 0;
  bool kept_ = false;
};

Result<std::unique_ptr<Exchange>> ask_for_copy(Master& master) {
  auto started = master.start(Request{"GET", "/v1/backup", {}, ""});
  if (!started) return tl::unexpected(started.error());
  std::unique_ptr<Exchange> exchange = std::move(*started);
  if (auto head = exchange->read_head(copy_timeout_ms); !head) return tl::unexpected(head.error());
  if (exchange->status() == 200) return exchange;
  if (auto all = exchange->read_all(stream_timeout_ms); !all) return tl::unexpected(all.error());
  return tl::unexpected(problem_of(exchange->take_response(), master.address()));
}

Result<void> receive(Exchange& exchange, NewFile& file) {
  for (;;) {
    if (auto written = file.write(exchange.take_body()); !written) return written;
    if (exchange.done()) return {};
    if (!wait_readable(exchange.fd(), stream_timeout_ms)) {
      return fail(ErrorCode::deadline_exceeded, "the master sends nothing any more");
    }
    if (auto read = exchange.read_some(); !read) return read;
  }
}

Result<int> backup(const Context& context, const std::string& path) {
  auto master = Master::find(context.master_flag);
  if (!master) return tl::unexpected(master.error());
  NewFile file(path);
  if (!file.is_open()) return file.error();
  auto exchange = ask_for_copy(*master);
  if (!exchange) return tl::unexpected(exchange.error());
  const std::string lsn = (*exchange)->header("librm-lsn");
  const std::string bytes = (*exchange)->header("librm-bytes");
  if (auto received = receive(**exchange, file); !received) return tl::unexpected(received.error());
  if (bytes != std::to_string(file.bytes())) {
    return fail(ErrorCode::io_error, path + ": " + std::to_string(file.bytes()) + " bytes of " +
                                         escape(bytes) + " arrived");
  }
  const auto checked = ask_journal_program({"check", file.part()});
  // Who has rmctl alone has what the master verified before it sent it.
  if (!checked && checked.error().code != ErrorCode::not_found) {
    return tl::unexpected(checked.error());
  }
  if (checked && checked->code != 0) {
    return fail(ErrorCode::corrupt, path + ": what arrived is damaged");
  }
  if (auto kept = file.keep(); !kept) return tl::unexpected(kept.error());
  const Json holds = checked ? member(checked->json, "holds") : Json();
  if (context.json()) {
    context.print(pretty({{"file", path},
                          {"lsn", std::strtoull(lsn.c_str(), nullptr, 10)},
                          {"bytes", file.bytes()},
                          {"holds", holds}}));
  } else if (context.names()) {
    context.print(escape(path) + '\n');
  } else {
    context.print(escape(path) + ": " + describe_state(context.out, holds) +
                  (holds.is_object() ? ", " : "") + human_bytes(static_cast<double>(file.bytes())) +
                  ", as of LSN " + escape(lsn) + '\n');
  }
  return 0;
}

struct RestoreFlags {
  std::string file;
  std::string work_dir;
  std::string state;
  std::string cluster_name = "default";
  bool force = false;
  std::string pending = "hold";
  std::uint32_t epoch = 0;
};

std::string counted(std::uint64_t count, const std::string& what) {
  return std::to_string(count) + ' ' + what + (count == 1 ? "" : "s");
}

std::string describe_restore(const Terminal& terminal, const Json& done) {
  Facts facts(terminal);
  const bool shared = member(done, "cluster").is_string();
  facts.add("Restored", shared ? "cluster " + shown(done, "cluster") : shown(done, "work_dir"));
  facts.add("Holds", describe_state(terminal, member(done, "holds")));
  facts.add("As of LSN", shown(done, "lsn"));
  facts.add("Epoch", shown(done, "epoch"));
  facts.add("Next job", shown(done, "next_job"));
  facts.add("Set aside", shown(done, "set_aside"));
  std::string text = facts.text();
  const std::uint64_t held = id_of(done, "held");
  const std::uint64_t paused = id_of(done, "paused");
  if (held > 0) {
    text += "\nHeld, since they may have run after the backup: " + counted(held, "job") +
            ". What has not: rmctl release SELECTOR\n";
  }
  if (paused > 0) {
    text += std::string(held > 0 ? "" : "\n") + "Paused likewise: " + counted(paused, "schedule") +
            ". To go on: rmctl schedule resume NAME\n";
  }
  return text;
}

}  // namespace

Action define_backup(CLI::App& app, Context& context) {
  const auto file = std::make_shared<std::string>();
  app.add_option("file", *file, "where to; replaced in one step")->type_name("FILE")->required();
  return [&context, file] { return backup(context, *file); };
}

Action define_restore(CLI::App& app, Context& context) {
  const auto flags = std::make_shared<RestoreFlags>();
  app.add_option("file", flags->file, "a backup")->type_name("FILE")->required();
  app.add_option("--work-dir", flags->work_dir, "of a single master")->type_name("DIR");
  app.add_option("--state", flags->state,
                 "or of several masters: postgresql://..., as they have it")
      ->type_name("URL");
  app.add_option("--cluster-name", flags->cluster_name, "with --state, as the masters'")
      ->type_name("NAME");
  app.add_flag("--force", flags->force, "also where a state is; that is set aside, not deleted");
  app.add_option(
         "--pending", flags->pending,
         "hold what waited then, or run it, when nothing was started after the backup; hold "
         "if not given")
      ->type_name("hold|run")
      ->check(CLI::IsMember({"hold", "run"}));
  app.add_option("--epoch", flags->epoch,
                 "a higher one than this, where agents say that they obeyed it")
      ->type_name("NUMBER");
  return [&context, flags]() -> Result<int> {
    if (flags->work_dir.empty() == flags->state.empty()) {
      return fail(ErrorCode::invalid_argument,
                  "restore: give either --work-dir or --state: where to");
    }
    std::vector<std::string> words{"restore", flags->file, flags->work_dir,
                                   std::to_string(flags->epoch)};
    if (!flags->state.empty()) words.push_back("state=" + flags->state);
    if (!flags->state.empty()) words.push_back("cluster=" + flags->cluster_name);
    if (flags->force) words.emplace_back("force");
    if (flags->pending == "run") words.emplace_back("run");
    const auto answer = ask_journal_program(words);
    if (!answer) return tl::unexpected(answer.error());
    context.print(context.json() ? pretty(answer->json)
                                 : describe_restore(context.out, answer->json));
    return answer->code;
  };
}

}  // namespace batch::cli
