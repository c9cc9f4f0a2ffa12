// AgentService as the backend of the routes.
#include "agent/http_edge.hpp"

#include <utility>

#include "http/agent_http.hpp"
#include "http/server.hpp"

namespace librm::daemon {

namespace {

constexpr Duration stop_grace = seconds(3);

class Backend final : public http::AgentBackend {
 public:
  Backend(AgentService& service, std::string runs_directory)
      : service_(service), runs_directory_(std::move(runs_directory)) {}
  ~Backend() override {
    if (token_ != 0) service_.unsubscribe(token_);
  }
  Backend(const Backend&) = delete;
  Backend& operator=(const Backend&) = delete;

  bool ready() const override { return service_.ready(); }
  const AgentCore& core() const override { return service_.core(); }
  std::string runs_directory() const override { return runs_directory_; }
  void on_change(std::function<void()> callback) override {
    token_ = service_.subscribe(std::move(callback));
  }

 private:
  AgentService& service_;
  const std::string runs_directory_;
  std::uint64_t token_ = 0;
};

}  // namespace

struct AgentHttpEdge::Impl {
  Impl(asio::io_context& io, AgentService& service, std::string runs_directory,
       http::HttpServerOptions options)
      : backend(service, std::move(runs_directory)),
        routes(io, backend),
        server(io, std::move(options),
               [this](const http::HttpRequest& request, http::Responder responder) {
                 routes.handle(request, std::move(responder));
               }) {}

  Backend backend;
  http::AgentHttp routes;
  http::HttpServer server;
};

Result<std::unique_ptr<AgentHttpEdge>> AgentHttpEdge::start(asio::io_context& io,
                                                            AgentService& service,
                                                            const std::string& listen,
                                                            std::uint16_t port,
                                                            const std::string& work_dir) {
  http::HttpServerOptions options;
  options.address = listen;
  options.port = port;
  auto impl = std::make_unique<Impl>(io, service, work_dir + "/runs", std::move(options));
  if (auto listening = impl->server.listen(); !listening) {
    return tl::unexpected(listening.error());
  }
  return std::unique_ptr<AgentHttpEdge>(new AgentHttpEdge(std::move(impl)));
}

AgentHttpEdge::AgentHttpEdge(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
AgentHttpEdge::~AgentHttpEdge() = default;
std::uint16_t AgentHttpEdge::port() const { return impl_->server.port(); }
void AgentHttpEdge::stop() {
  impl_->server.stop(stop_grace, [] {});
}

}  // namespace librm::daemon
