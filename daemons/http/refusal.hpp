// Answers that are written past RESTinio: to requests that it refuses, and to one client too many.
#pragma once

#include <asio/ip/tcp.hpp>
#include <string>

#include "http/exchange.hpp"
#include "librm/base/result.hpp"

namespace librm::http {

/// `Not Found` for 404.
const char* reason_phrase(int status);

/// A header's value without the characters that would end it.
std::string header_safe(std::string value);

/// A whole answer, after which the connection is closed.
std::string raw_answer(const HttpResponse& response);

/// RESTinio says only in its log why it closes a connection; this is the problem that it means.
HttpResponse refusal_for(const std::string& logged);

/// A web page must not reach a cluster through its reader's browser: neither under a name of its
/// own that resolves to loopback (`loopback` says that we listen there), nor by a form or script
/// that sends a change here from another site.
Result<void> check_site(const HttpRequest& request, bool loopback);

/// Takes a socket whose sending side is shut down, and reads and drops what the client still
/// sends, within limits. Closing at once would reset the connection, and the client might never
/// see the answer.
void discard(asio::ip::tcp::socket socket);

}  // namespace librm::http
