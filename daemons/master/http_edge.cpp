// MasterService as the backend of the routes.
#include "master/http_edge.hpp"

#include <utility>
#include <vector>

#include "http/master_http.hpp"
#include "http/server.hpp"

namespace librm::daemon {

namespace {

constexpr Duration stop_grace = seconds(3);

class Backend final : public http::MasterBackend {
 public:
  explicit Backend(MasterService& service) : service_(service) {}
  ~Backend() override {
    for (const std::uint64_t token : tokens_) service_.unsubscribe(token);
  }
  Backend(const Backend&) = delete;
  Backend& operator=(const Backend&) = delete;

  bool ready() const override { return service_.ready(); }
  const batch::ClusterCore& core() const override { return service_.core(); }
  Now now() const override { return service_.now(); }
  std::string http_address() const override { return service_.http_address(); }
  std::string leader_http() const override { return service_.leader_http(); }
  void submit(std::vector<batch::JobSpec> jobs, std::string idempotency_key, bool dry_run,
              OnSubmit callback) override {
    service_.submit(std::move(jobs), std::move(idempotency_key), dry_run, std::move(callback));
  }
  void control(batch::ControlJob request, OnResult callback) override {
    service_.control(std::move(request), std::move(callback));
  }
  void add_schedule(batch::AddSchedule request, OnSchedule callback) override {
    service_.add_schedule(std::move(request), std::move(callback));
  }
  void control_schedule(batch::ControlSchedule request, OnSchedule callback) override {
    service_.control_schedule(std::move(request), std::move(callback));
  }
  void control_agent(ControlAgent request, OnResult callback) override {
    service_.control_agent(std::move(request), std::move(callback));
  }
  void set_maintenance(SetMaintenance request, OnResult callback) override {
    service_.set_maintenance(std::move(request), std::move(callback));
  }
  void set_quota(SetQuota request, OnResult callback) override {
    service_.set_quota(std::move(request), std::move(callback));
  }
  void set_role_weight(SetRoleWeight request, OnResult callback) override {
    service_.set_role_weight(std::move(request), std::move(callback));
  }
  void operate(OperateOnAgent request, OnResult callback) override {
    service_.operate(std::move(request), std::move(callback));
  }
  void backup(OnBackup callback) override { service_.backup(std::move(callback)); }
  void on_job_changed(std::function<void(const batch::JobChanged&)> callback) override {
    tokens_.push_back(service_.subscribe(std::move(callback)));
  }
  void on_schedule_changed(std::function<void(const batch::ScheduleChanged&)> callback) override {
    tokens_.push_back(service_.subscribe_schedules(std::move(callback)));
  }

 private:
  MasterService& service_;
  std::vector<std::uint64_t> tokens_;
};

}  // namespace

struct MasterHttpEdge::Impl {
  Impl(asio::io_context& io, MasterService& service, http::HttpServerOptions options)
      : backend(service),
        routes(io, backend),
        server(io, std::move(options),
               [this](const http::HttpRequest& request, http::Responder responder) {
                 routes.handle(request, std::move(responder));
               }) {}

  Backend backend;
  http::MasterHttp routes;
  http::HttpServer server;
};

Result<std::unique_ptr<MasterHttpEdge>> MasterHttpEdge::start(asio::io_context& io,
                                                              MasterService& service,
                                                              const std::string& listen,
                                                              std::uint16_t port) {
  http::HttpServerOptions options;
  options.address = listen;
  options.port = port;
  auto impl = std::make_unique<Impl>(io, service, std::move(options));
  if (auto listening = impl->server.listen(); !listening) {
    return tl::unexpected(listening.error());
  }
  return std::unique_ptr<MasterHttpEdge>(new MasterHttpEdge(std::move(impl)));
}

MasterHttpEdge::MasterHttpEdge(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
MasterHttpEdge::~MasterHttpEdge() = default;
std::uint16_t MasterHttpEdge::port() const { return impl_->server.port(); }
void MasterHttpEdge::stop() {
  impl_->server.stop(stop_grace, [] {});
}

}  // namespace librm::daemon
