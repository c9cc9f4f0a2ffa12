// Finds the handler for a request by method and path.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "http/exchange.hpp"

namespace librm::http {

/// What stands in the path where the pattern has `{job}`, under that name.
using Params = std::map<std::string, std::string, std::less<>>;
using RouteHandler = std::function<void(const HttpRequest&, const Params&, Responder)>;

/// A table of routes. A path that is not in it gets 404, a method that its path does not have 405;
/// both problems name what there is.
class Router {
 public:
  /// `pattern` is a path whose segments may be `{name}`: `/v1/jobs/{job}/why`. A route that was
  /// added earlier goes first.
  void add(std::string method, std::string pattern, RouteHandler handler);
  void handle(const HttpRequest& request, Responder responder) const;
  /// Methods and patterns, in the order in which they were added.
  std::vector<std::pair<std::string, std::string>> routes() const;

 private:
  struct Route {
    std::string method;
    std::string pattern;
    std::vector<std::string> segments;
    RouteHandler handler;
  };
  std::vector<Route> routes_;
};

}  // namespace librm::http
