// librm._native: what Python gets from C++. Values in, values out; the GIL is released while C++
// runs, and no C++ thread ever touches a Python object.
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>
#include <unistd.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "batch/edge/time_zones.hpp"
#include "batch/edge/units.hpp"
#include "batch/schedule/expression.hpp"
#include "common/log.hpp"
#include "librm/runtime/clock.hpp"
#include "local/local_cluster.hpp"

namespace py = pybind11;

namespace librm::python {
namespace {

/// A librm.LibrmError with the library's code and message, as for refusals over HTTP.
[[noreturn]] void raise(const Error& error) {
  const py::object type = py::module_::import("librm.client").attr("LibrmError");
  const py::object value = type(to_string(error.code), error.message);
  PyErr_SetObject(type.ptr(), value.ptr());
  throw py::error_already_set();
}

template <class T>
T value_or_raise(Result<T> result) {
  if (!result) raise(result.error());
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}

std::optional<Amount> read_cpus(const std::optional<std::string>& text) {
  if (!text) return std::nullopt;
  const std::optional<Amount> amount = parse_amount(*text);
  if (!amount) {
    raise({ErrorCode::invalid_argument, "cpus: '" + *text + "' is no amount such as 4 or 0.5"});
  }
  return amount;
}

std::optional<Amount> read_mem(const std::optional<std::string>& text) {
  if (!text) return std::nullopt;
  Result<Amount> amount = batch::parse_size(*text);
  if (!amount) raise({amount.error().code, "mem: " + amount.error().message});
  return *amount;
}

/// Starting and ending take long and wait for threads: without the GIL, also in a destructor.
class LocalCluster {
 public:
  LocalCluster(std::uint32_t nodes, const std::optional<std::string>& cpus,
               const std::optional<std::string>& mem, std::string topology,
               std::string programs_directory) {
    daemon::LocalClusterOptions options;
    options.nodes = nodes;
    options.cpus = read_cpus(cpus);
    options.mem_mib = read_mem(mem);
    options.topology = std::move(topology);
    options.programs_directory = std::move(programs_directory);
    cluster_ = value_or_raise(start(options));
  }
  ~LocalCluster() {
    // A child made by fork() has a copy of us, and not the thread that would be waited for.
    if (::getpid() != owner_) {
      (void)cluster_.release();
      return;
    }
    const py::gil_scoped_release released;
    cluster_.reset();
  }
  LocalCluster(const LocalCluster&) = delete;
  LocalCluster& operator=(const LocalCluster&) = delete;

  const std::string& url() const { return cluster_->url(); }
  const std::string& directory() const { return cluster_->directory(); }

  void stop() {
    Result<void> stopped;
    {
      const py::gil_scoped_release released;
      stopped = cluster_->stop();
    }
    value_or_raise(std::move(stopped));
  }

 private:
  static Result<std::unique_ptr<daemon::LocalCluster>> start(
      const daemon::LocalClusterOptions& options) {
    const py::gil_scoped_release released;
    return daemon::LocalCluster::start(options);
  }

  const pid_t owner_ = ::getpid();
  std::unique_ptr<daemon::LocalCluster> cluster_;
};

/// Nanoseconds since 1970 of the first `count` occurrences at or after `since_ns`, or of all.
Result<std::vector<std::int64_t>> expand(const std::string& expression, const std::string& zone,
                                         std::size_t count, std::optional<std::int64_t> since_ns) {
  const Result<batch::ScheduleExpression> parsed = batch::parse_schedule(expression);
  if (!parsed) return tl::unexpected<Error>(parsed.error());
  const batch::TimeZones& zones = batch::system_time_zones();
  const auto started = batch::with_start(*parsed, read_clocks().wall, zone, zones);
  if (!started) return tl::unexpected<Error>(started.error());
  const Result<batch::Occurrences> all = batch::Occurrences::make(*started, zone, zones);
  if (!all) return tl::unexpected<Error>(all.error());
  std::vector<std::int64_t> instants;
  auto next = since_ns ? all->first_at_or_after(WallTime{*since_ns}) : all->from(0);
  for (; next && instants.size() < count; next = all->from(next->index + 1)) {
    instants.push_back(next->at.ns);
  }
  return instants;
}

std::vector<std::int64_t> occurrences(const std::string& expression, const std::string& zone,
                                      std::size_t count, std::optional<std::int64_t> since_ns) {
  Result<std::vector<std::int64_t>> instants;
  {
    const py::gil_scoped_release released;
    instants = expand(expression, zone, count, since_ns);
  }
  return value_or_raise(std::move(instants));
}

}  // namespace
}  // namespace librm::python

PYBIND11_MODULE(_native, module) {
  using librm::python::LocalCluster;
  module.doc() = "The parts of librm that run in this process; use librm.LocalCluster and others.";
  py::class_<LocalCluster>(module, "LocalCluster")
      .def(py::init<std::uint32_t, std::optional<std::string>, std::optional<std::string>,
                    std::string, std::string>(),
           py::kw_only(), py::arg("nodes"), py::arg("cpus"), py::arg("mem"), py::arg("topology"),
           py::arg("programs_directory"))
      .def_property_readonly("url", &LocalCluster::url)
      .def_property_readonly("directory", &LocalCluster::directory)
      .def("stop", &LocalCluster::stop);
  module.def("occurrences", &librm::python::occurrences, py::arg("expression"), py::arg("zone"),
             py::arg("count"), py::arg("since_ns"));
  module.def("set_log_level", &librm::daemon::start_log, py::arg("level"));
}
