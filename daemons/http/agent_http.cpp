// Reading files of runs, whole or as they grow, at the speed of whoever reads.
#include "http/agent_http.hpp"

#include <algorithm>
#include <asio/io_context.hpp>
#include <asio/steady_timer.hpp>
#include <chrono>
#include <optional>

#include "batch/edge/job_json.hpp"
#include "batch/edge/units.hpp"
#include "common/version.hpp"
#include "http/file_watch.hpp"
#include "http/json.hpp"
#include "http/parameters.hpp"
#include "http/problem.hpp"
#include "http/router.hpp"
#include "http/task_file.hpp"
#include "http/text.hpp"
#include "hwtopo/cpuset.hpp"

namespace librm::http {

namespace {

/// What a request for a file names.
struct FileRequest {
  TaskKey key;
  std::string path;         ///< in the sandbox
  std::int64_t offset = 0;  ///< negative: from the end
  bool follow = false;
};

std::int64_t start_of(std::int64_t offset, std::int64_t size) {
  return offset >= 0 ? offset : std::max<std::int64_t>(0, size + offset);
}

template <class T>
Json or_null(const std::optional<T>& value) {
  return value ? Json(*value) : Json();
}

Json or_null(const std::optional<WallTime>& time) {
  return time ? Json(batch::to_rfc3339(*time)) : Json();
}

Json task_to_json(const TaskKey& key, const AgentCore::Task& task) {
  const TaskInfo& info = task.record.info;
  const StatusUpdate& latest = task.record.latest;
  const std::string files =
      "/v1/tasks/" + to_string(key.framework) + '/' + percent_encode(key.task) + "/files/";
  return {{"framework", to_string(key.framework)},
          {"task", key.task},
          {"name", info.name},
          {"role", info.role},
          {"state", to_string(latest.state)},
          {"reason", latest.reason == TaskReason::none ? "" : to_string(latest.reason)},
          {"message", latest.message},
          {"exit_code", or_null(latest.exit_code)},
          {"signal", or_null(latest.signal)},
          {"started", or_null(latest.started)},
          {"ended", or_null(latest.ended)},
          {"resources", batch::resources_to_json(info.resources)},
          {"cpus", hwtopo::to_string(hwtopo::Cpuset(task.record.cpus))},
          {"stdout", files + "stdout"},
          {"stderr", files + "stderr"}};
}

}  // namespace

class AgentHttp::Impl : public std::enable_shared_from_this<AgentHttp::Impl> {
 public:
  Impl(asio::io_context& io, AgentBackend& backend, AgentHttpOptions options)
      : io_(io), backend_(backend), options_(options), watch_(io), timer_(io) {}

  void start() {
    add_routes();
    backend_.on_change([weak = weak_from_this()] {
      if (const auto self = weak.lock()) self->look_at_all(false);
    });
  }

  Router router_;

 private:
  /// One client that reads a file. Waits for the file if it may still come, sends what is there,
  /// and where it follows goes on until the task is over and all is sent.
  struct Reader : std::enable_shared_from_this<Reader> {
    Reader(Impl& impl, FileRequest r, Responder answer)
        : owner(impl),
          request(std::move(r)),
          responder(std::move(answer)),
          begun(std::chrono::steady_clock::now()) {}

    Impl& owner;
    FileRequest request;
    Responder responder;
    std::chrono::steady_clock::time_point begun;
    std::optional<TaskFile> file;
    std::shared_ptr<ResponseStream> stream;
    std::optional<FileWatch::Token> watch;
    std::int64_t position = 0;
    std::int64_t end = 0;  ///< where it does not follow
  };

  using Handling = void (Impl::*)(const HttpRequest&, const Params&, Responder);

  void add(const char* pattern, Handling handling) {
    router_.add("GET", pattern, handler_of(handling));
  }
  /// One that has no query parameters.
  void add_plain(const char* pattern, Handling handling) {
    router_.add("GET", pattern, without_parameters(handler_of(handling)));
  }
  RouteHandler handler_of(Handling handling) {
    return [this, handling](const HttpRequest& request, const Params& params, Responder responder) {
      (this->*handling)(request, params, std::move(responder));
    };
  }

  void add_routes() {
    add_plain("/livez", &Impl::live);
    add_plain("/readyz", &Impl::readiness);
    add_plain("/v1/version", &Impl::version);
    add_plain("/v1/tasks", &Impl::tasks);
    add("/v1/tasks/{framework}/{task}/files", &Impl::list_files);
    add("/v1/tasks/{framework}/{task}/files/{file}", &Impl::read_named_file);
    add("/v1/tasks/{framework}/{task}/file", &Impl::read_file_at_path);
  }

  void live(const HttpRequest&, const Params&, Responder responder) {
    responder.reply({200, "text/plain", {}, "ok\n"});
  }

  void readiness(const HttpRequest&, const Params&, Responder responder) {
    if (!backend_.ready()) {
      return refuse_for_now(std::move(responder));
    }
    const bool registered = backend_.core().registered();
    responder.reply({200, "text/plain", {}, registered ? "ok\n" : "ok, but without a master\n"});
  }

  void version(const HttpRequest&, const Params&, Responder responder) {
    responder.reply(json_response({{"version", daemon::version}}));
  }

  void tasks(const HttpRequest&, const Params&, Responder responder) {
    Json list = Json::array();
    if (backend_.ready()) {
      for (const auto& [key, task] : backend_.core().tasks()) {
        list.push_back(task_to_json(key, task));
      }
    }
    responder.reply(json_response({{"tasks", std::move(list)}}));
  }

  // --- files ---

  static Result<TaskKey> parse_key(const Params& params) {
    const auto framework = parse_id<FrameworkId>(params.at("framework"));
    if (!framework || to_string(*framework) != params.at("framework")) {
      return fail(ErrorCode::invalid_argument,
                  "framework '" + params.at("framework") + "': an id looks like f-1");
    }
    const TaskKey key{*framework, params.at("task")};
    if (auto valid = validate_task_id(key.task); !valid) return tl::unexpected(valid.error());
    return key;
  }

  static Result<FileRequest> parse(const HttpRequest& request, const Params& params,
                                   std::string path) {
    const auto key = parse_key(params);
    if (!key) return tl::unexpected(key.error());
    FileRequest out{*key, std::move(path), 0, false};
    const auto follow = flag_parameter(request, "follow");
    if (!follow) return tl::unexpected(follow.error());
    out.follow = *follow;
    const auto offset = offset_parameter(request);
    if (!offset) return tl::unexpected(offset.error());
    out.offset = offset->value_or(0);
    return out;
  }

  void read_named_file(const HttpRequest& request, const Params& params, Responder responder) {
    if (auto known = check_parameters(request, {"offset", "follow"}); !known) {
      return responder.reply(problem(known.error()));
    }
    const std::string& name = params.at("file");
    if (name.find('/') != std::string::npos) {
      return responder.reply(problem(
          Error{ErrorCode::invalid_argument, "file '" + name + "': below a directory use ?path="}));
    }
    read_file(parse(request, params, name), std::move(responder));
  }

  void read_file_at_path(const HttpRequest& request, const Params& params, Responder responder) {
    if (auto known = check_parameters(request, {"path", "offset", "follow"}); !known) {
      return responder.reply(problem(known.error()));
    }
    read_file(parse(request, params, std::string(request.parameter("path"))), std::move(responder));
  }

  void read_file(Result<FileRequest> wanted, Responder responder) {
    if (!wanted) return responder.reply(problem(wanted.error()));
    // Whether the task is over is not known yet, or not any more: who follows must come again.
    if (!backend_.ready()) return refuse_for_now(std::move(responder));
    const auto reader = std::make_shared<Reader>(*this, std::move(*wanted), std::move(responder));
    if (open(*reader)) return;
    // Not there yet: it is looked for at every change.
    readers_.push_back(reader);
    look_later();
  }

  static void refuse_for_now(Responder responder) {
    HttpResponse response = problem(
        Error{ErrorCode::unavailable, "the agent is not ready: it has not started, or it stops"});
    response.headers.emplace_back("Retry-After", "1");
    responder.reply(std::move(response));
  }

  void list_files(const HttpRequest& request, const Params& params, Responder responder) {
    if (auto known = check_parameters(request, {"path"}); !known) {
      return responder.reply(problem(known.error()));
    }
    const auto key = parse_key(params);
    if (!key) return responder.reply(problem(key.error()));
    const std::string path(request.parameter("path"));
    const auto listing = list_directory(backend_.runs_directory(), key->framework, key->task, path);
    if (!listing) return responder.reply(problem(listing.error()));
    Json entries = Json::array();
    for (const DirectoryEntry& entry : listing->entries) {
      entries.push_back({{"name", entry.name},
                         {"type", entry.type},
                         {"size", entry.size},
                         {"mode", entry.mode},
                         {"modified", batch::to_rfc3339(entry.modified)}});
    }
    responder.reply(json_response(
        {{"path", path}, {"entries", std::move(entries)}, {"truncated", listing->truncated}}));
  }

  const AgentCore::Task* task(const TaskKey& key) const {
    if (!backend_.ready()) return nullptr;
    const auto found = backend_.core().tasks().find(key);
    return found == backend_.core().tasks().end() ? nullptr : &found->second;
  }

  /// Nothing more will be written: it ended, or it is forgotten for having ended.
  bool is_over(const TaskKey& key) const {
    if (!backend_.ready()) return false;  // it stops, and what it knows is no news
    const AgentCore::Task* found = task(key);
    return found == nullptr || is_terminal(found->record.latest.state);
  }

  /// False where the file is not there but may come; else the answer was given or has begun.
  bool open(Reader& reader) {
    const FileRequest& request = reader.request;
    auto file = TaskFile::open(backend_.runs_directory(), request.key.framework, request.key.task,
                               request.path);
    if (!file) {
      const bool missing = file.error().code == ErrorCode::not_found &&
                           (request.path == "stdout" || request.path == "stderr");
      if (missing && may_come(reader)) return false;
      reader.responder.reply(problem(file.error()));
      return true;
    }
    const auto size = file->size();
    if (!size) {
      reader.responder.reply(problem(size.error()));
      return true;
    }
    reader.file.emplace(std::move(*file));
    reader.position = start_of(request.offset, *size);
    reader.end = std::max(reader.position, *size);
    begin(reader);
    return true;
  }

  bool may_come(const Reader& reader) const {
    if (!reader.request.follow) return false;
    const AgentCore::Task* found = task(reader.request.key);
    if (found != nullptr) return !is_terminal(found->record.latest.state);
    const auto waited = std::chrono::steady_clock::now() - reader.begun;
    return waited < std::chrono::nanoseconds(options_.appear_timeout.ns) &&
           !has_sandbox(backend_.runs_directory(), reader.request.key.framework,
                        reader.request.key.task);
  }

  HttpResponse head_of(const Reader& reader) const {
    const AgentCore::Task* found = task(reader.request.key);
    const TaskState state = found != nullptr ? found->record.latest.state : TaskState::unknown;
    return {
        200,
        "text/plain; charset=utf-8",
        {{"X-RM-Task-State", to_string(state)}, {"X-RM-Offset", std::to_string(reader.position)}},
        ""};
  }

  void begin(Reader& reader) {
    HttpResponse head = head_of(reader);
    const std::int64_t left = reader.end - reader.position;
    if (!reader.request.follow && left <= static_cast<std::int64_t>(options_.chunk_bytes)) {
      auto bytes = reader.file->read(reader.position, static_cast<std::size_t>(left));
      if (!bytes) return reader.responder.reply(problem(bytes.error()));
      head.body = std::move(*bytes);
      return reader.responder.reply(std::move(head));
    }
    reader.stream = reader.responder.stream(std::move(head));
    if (!reader.stream->is_open()) return;
    const auto shared = reader.shared_from_this();
    if (std::find(readers_.begin(), readers_.end(), shared) == readers_.end()) {
      readers_.push_back(shared);
    }
    // Callbacks are dropped with the stream, the stream with its reader.
    reader.stream->on_closed([&reader] { reader.owner.drop(reader); });
    reader.stream->on_drained([&reader] { reader.owner.pump(reader); });
    if (reader.request.follow) {
      reader.watch = watch_.add(reader.file->fd(), [&reader] { reader.owner.pump(reader); });
      look_later();
    }
    pump(reader);
  }

  /// Sends the next piece, if the last one is gone and there is one; ends at the end.
  void pump(Reader& reader) {
    const auto alive = reader.shared_from_this();
    if (!reader.stream->is_open() || reader.stream->buffered() > 0) return;
    // Asked before reading: what was written before the end is found after it.
    const bool over = !reader.request.follow || is_over(reader.request.key);
    const auto size = reader.file->size();
    if (!size) return drop(reader);
    const std::int64_t end = reader.request.follow ? *size : std::min(*size, reader.end);
    const auto left = static_cast<std::size_t>(std::max<std::int64_t>(0, end - reader.position));
    auto bytes = reader.file->read(reader.position, std::min(left, options_.chunk_bytes));
    if (!bytes) return drop(reader);  // which breaks the answer off
    if (bytes->empty()) {
      if (!over) return;
      reader.stream->close();
      return drop(reader);
    }
    reader.position += static_cast<std::int64_t>(bytes->size());
    reader.stream->write(std::move(*bytes));
  }

  void drop(Reader& reader) {
    if (reader.watch) watch_.remove(*reader.watch);
    reader.watch.reset();
    std::erase(readers_, reader.shared_from_this());
  }

  /// After a change of the core only what depends on it is looked at: growing files are watched.
  void look_at_all(bool at_files) {
    if (readers_.empty()) return;
    const auto all = readers_;
    for (const auto& reader : all) {
      if (reader->stream) {
        if (!reader->request.follow) continue;
        if (at_files || is_over(reader->request.key)) pump(*reader);
      } else if (open(*reader)) {
        // Answered at once, or with a stream to nobody.
        if (!reader->stream || !reader->stream->is_open()) drop(*reader);
      }
    }
  }

  void look_later() {
    if (looking_) return;
    looking_ = true;
    timer_.expires_after(std::chrono::nanoseconds(options_.look_interval.ns));
    timer_.async_wait([weak = weak_from_this()](const std::error_code& error) {
      const auto self = weak.lock();
      if (!self || error) return;
      self->looking_ = false;
      self->look_at_all(true);
      if (!self->readers_.empty()) self->look_later();
    });
  }

  asio::io_context& io_;
  AgentBackend& backend_;
  const AgentHttpOptions options_;
  FileWatch watch_;
  asio::steady_timer timer_;
  bool looking_ = false;
  std::vector<std::shared_ptr<Reader>> readers_;
};

AgentHttp::AgentHttp(asio::io_context& io, AgentBackend& backend, AgentHttpOptions options)
    : impl_(std::make_shared<Impl>(io, backend, options)) {
  impl_->start();
}
AgentHttp::~AgentHttp() = default;

void AgentHttp::handle(const HttpRequest& request, Responder responder) const {
  impl_->router_.handle(request, std::move(responder));
}

std::vector<std::pair<std::string, std::string>> AgentHttp::routes() const {
  return impl_->router_.routes();
}

}  // namespace librm::http
