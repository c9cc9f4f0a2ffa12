// The master's JSON interface as rmctl uses it: requests, problems, and who to ask.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "http.hpp"
#include "json_view.hpp"
#include "librm/base/result.hpp"

namespace batch::cli {

/// The exit code that stands for an error: 2 usage, 3 not found, 4 denied or too much, 5 nobody
/// answers, 6 too late, else 1.
int exit_code_of(librm::ErrorCode code);

/// Random, so that a request which is repeated can be told from a second one.
std::string new_idempotency_key();

/// What a problem document (RFC 9457) says, a line for each field to blame.
librm::Error problem_of(const Response& response, const std::string& peer);

class Master {
 public:
  /// From the flag, else from RM_MASTER, else the default: an address, several with commas, or
  /// where masters elect their leader, `zk://...` or `file:///...`, which rm-leader is asked about.
  static librm::Result<Master> find(const std::string& flag);

  /// Both are repeated for some seconds where the connection is lost; the key makes that harmless.
  librm::Result<Json> get(const std::string& target);
  librm::Result<Json> post(const std::string& target, const Json& body, const std::string& key);
  /// Repeated likewise: either changes nothing when it comes twice.
  librm::Result<Json> put(const std::string& target, const Json& body);
  librm::Result<Json> remove(const std::string& target);
  /// Sends, and reads nothing of the answer: for streams.
  librm::Result<std::unique_ptr<Exchange>> start(const Request& request);

  /// `127.0.0.1:5050`.
  std::string address() const { return authority(url_); }
  const Url& url() const { return url_; }
  HttpClient& http() { return http_; }

 private:
  explicit Master(std::vector<Url> urls) : urls_(std::move(urls)), url_(urls_.front()) {}
  void try_next();
  librm::Result<Json> ask(const Request& request);
  librm::Result<Json> answer(librm::Result<Response> response) const;
  librm::Error unreachable() const;

  std::vector<Url> urls_;  ///< of all masters; never empty
  std::size_t at_ = 0;
  std::string elected_at_;  ///< `zk://...`, where they came from
  Url url_;                 ///< of the one that is asked
  HttpClient http_;
  bool contacted_ = false;  ///< somebody has accepted a connection
};

/// The body of a POST.
Request post_request(const std::string& target, const Json& body, const std::string& key);

}  // namespace batch::cli
