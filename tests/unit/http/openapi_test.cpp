// The OpenAPI file and the routers describe the same interface.
#include <gtest/gtest.h>

#include <asio/io_context.hpp>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>

#include "http/agent_http.hpp"
#include "http/master_http.hpp"
#include "unit/http/fake_master.hpp"

namespace librm::http {
namespace {

using Routes = std::set<std::pair<std::string, std::string>>;

nlohmann::json read_openapi() {
  std::ifstream file(RM_SOURCE_DIR "/daemons/http/openapi.json");
  return nlohmann::json::parse(file);
}

Routes routes_of(const nlohmann::json& document, const std::string& daemon) {
  Routes routes;
  for (const auto& [path, methods] : document["paths"].items()) {
    for (const auto& [method, operation] : methods.items()) {
      const auto& daemons = operation["x-daemons"];
      if (std::find(daemons.begin(), daemons.end(), daemon) == daemons.end()) continue;
      std::string upper = method;
      for (char& c : upper) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
      routes.emplace(upper, path);
    }
  }
  return routes;
}

template <class Edge>
Routes routes_of(const Edge& edge) {
  const auto all = edge.routes();
  return {all.begin(), all.end()};
}

class NoAgent final : public AgentBackend {
 public:
  bool ready() const override { return false; }
  const AgentCore& core() const override { return core_; }
  std::string runs_directory() const override { return "/nonexistent"; }
  void on_change(std::function<void()>) override {}

 private:
  AgentCore core_{AgentOptions{}};
};

TEST(OpenApi, HasExactlyTheMastersRoutes) {
  asio::io_context io(1);
  FakeMaster master;
  EXPECT_EQ(routes_of(read_openapi(), "master"), routes_of(MasterHttp(io, master)));
}

TEST(OpenApi, HasExactlyTheAgentsRoutes) {
  asio::io_context io(1);
  NoAgent agent;
  EXPECT_EQ(routes_of(read_openapi(), "agent"), routes_of(AgentHttp(io, agent)));
}

TEST(OpenApi, EveryReferenceLeadsSomewhere) {
  const auto document = read_openapi();
  const std::function<void(const nlohmann::json&)> walk = [&](const nlohmann::json& value) {
    if (value.is_object() && value.contains("$ref")) {
      const std::string reference = value["$ref"];
      EXPECT_TRUE(document.contains(nlohmann::json::json_pointer(reference.substr(1))))
          << reference;
    }
    for (const auto& part : value) {
      if (part.is_structured()) walk(part);
    }
  };
  walk(document);
}

TEST(OpenApi, EveryParameterInAPathIsDescribed) {
  const auto document = read_openapi();
  for (const auto& [path, methods] : document["paths"].items()) {
    for (const auto& [method, operation] : methods.items()) {
      for (std::size_t at = 0; (at = path.find('{', at)) != path.npos; ++at) {
        const std::string name = path.substr(at + 1, path.find('}', at) - at - 1);
        bool found = false;
        for (const auto& parameter : operation.value("parameters", nlohmann::json::array())) {
          found = found || (parameter["name"] == name && parameter["in"] == "path");
        }
        EXPECT_TRUE(found) << method << ' ' << path << ' ' << name;
      }
    }
  }
}

}  // namespace
}  // namespace librm::http
