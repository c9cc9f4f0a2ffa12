// Keys of requests, each with its first request's end.
#include "http/repeats.hpp"

#include <utility>

namespace librm::http {

void Repeats::once(const std::string& key, const HttpRequest& request, Answer answer,
                   const std::function<void(Answer)>& perform) {
  if (key.empty()) return perform(std::move(answer));
  const std::size_t hash =
      std::hash<std::string>()(request.method + ' ' + request.target + '\n' + request.body);
  const auto [found, first] = entries_.try_emplace(key);
  Entry& entry = found->second;
  if (first) {
    entry.request = hash;
    entry.waiting.push_back(std::move(answer));
    perform([self = shared_from_this(), key](const Result<void>& result) {
      self->finish(key, result);
    });
  } else if (entry.request != hash) {
    answer(fail(ErrorCode::failed_precondition, "Idempotency-Key: another request had this one"));
  } else if (entry.done) {
    answer({});
  } else {
    entry.waiting.push_back(std::move(answer));
  }
}

void Repeats::finish(const std::string& key, const Result<void>& result) {
  const auto found = entries_.find(key);
  const std::vector<Answer> waiting = std::move(found->second.waiting);
  if (result) {
    found->second.done = true;
    found->second.waiting.clear();
    done_.push_back(key);
    if (done_.size() > keys_max) {
      entries_.erase(done_.front());
      done_.pop_front();
    }
  } else {
    entries_.erase(found);
  }
  for (const Answer& answer : waiting) answer(result);
}

}  // namespace librm::http
