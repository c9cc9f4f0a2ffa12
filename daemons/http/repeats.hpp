// Requests that must not be done twice, known by the `Idempotency-Key` that their sender chose.
#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "http/exchange.hpp"
#include "librm/base/result.hpp"

namespace librm::http {

/// Remembers the keys of the last requests that were done, in memory: a repetition is answered, and
/// not done again, until the master starts anew. What was refused changed nothing and may be asked
/// again. One thread at a time.
class Repeats : public std::enable_shared_from_this<Repeats> {
 public:
  using Answer = std::function<void(const Result<void>&)>;

  static constexpr std::size_t keys_max = 1024;

  /// Calls `perform` with what it is to call at its end. Not where the key is known: then `answer`
  /// is called with what the first one came to, or comes to; with failed_precondition where the
  /// first was another request. Without a key every request is a first one.
  void once(const std::string& key, const HttpRequest& request, Answer answer,
            const std::function<void(Answer)>& perform);

 private:
  struct Entry {
    std::size_t request = 0;  ///< a hash of all that it said
    bool done = false;
    std::vector<Answer> waiting;
  };
  void finish(const std::string& key, const Result<void>& result);

  std::map<std::string, Entry> entries_;
  std::deque<std::string> done_;  ///< keys, the oldest first
};

}  // namespace librm::http
