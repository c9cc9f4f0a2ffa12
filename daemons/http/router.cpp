// Linear matching: a daemon has a dozen routes.
#include "http/router.hpp"

#include <optional>
#include <set>

#include "http/problem.hpp"
#include "http/text.hpp"

namespace librm::http {

namespace {

bool is_parameter(const std::string& segment) {
  return segment.size() > 2 && segment.front() == '{' && segment.back() == '}';
}

std::optional<Params> match(const std::vector<std::string>& pattern,
                            const std::vector<std::string>& path) {
  if (pattern.size() != path.size()) return std::nullopt;
  Params params;
  for (std::size_t i = 0; i < path.size(); ++i) {
    if (is_parameter(pattern[i])) {
      params[pattern[i].substr(1, pattern[i].size() - 2)] = path[i];
    } else if (pattern[i] != path[i]) {
      return std::nullopt;
    }
  }
  return params;
}

std::string listed(const std::set<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

}  // namespace

void Router::add(std::string method, std::string pattern, RouteHandler handler) {
  auto segments = parse_target(pattern)->segments;
  routes_.push_back(
      {std::move(method), std::move(pattern), std::move(segments), std::move(handler)});
}

void Router::handle(const HttpRequest& request, Responder responder) const {
  std::set<std::string> methods;
  for (const Route& route : routes_) {
    const auto params = match(route.segments, request.segments);
    if (!params) continue;
    if (route.method == request.method) {
      return route.handler(request, *params, std::move(responder));
    }
    methods.insert(route.method);
  }
  const std::string path = request.target.substr(0, request.target.find('?'));
  if (methods.empty()) {
    std::set<std::string> patterns;
    for (const Route& route : routes_) patterns.insert(route.pattern);
    return responder.reply(problem(
        Error{ErrorCode::not_found, path + ": nothing is here; there are " + listed(patterns)}));
  }
  if (methods.contains("GET")) methods.insert("HEAD");
  HttpResponse response =
      problem(Error{ErrorCode::unsupported,
                    path + " does not know " + request.method + "; it has " + listed(methods)},
              {}, 405);
  response.headers.emplace_back("Allow", listed(methods));
  responder.reply(std::move(response));
}

std::vector<std::pair<std::string, std::string>> Router::routes() const {
  std::vector<std::pair<std::string, std::string>> all;
  for (const Route& route : routes_) all.emplace_back(route.method, route.pattern);
  return all;
}

}  // namespace librm::http
