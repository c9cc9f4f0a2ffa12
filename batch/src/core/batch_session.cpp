// The session with the master: what it tells, what it is asked, and the timers of retries.
#include <map>
#include <utility>

#include "batch/batch.hpp"
#include "text.hpp"

namespace batch {

namespace {

/// Until then other jobs may run there, and the answer may be another one.
constexpr librm::Duration inverse_refuse_for = librm::seconds(60);

}  // namespace

void BatchCore::session_step(librm::Now now, const librm::FrameworkEvent& event,
                             BatchActions& out) {
  librm::FrameworkActions actions;
  session_.step(now, event, actions);
  on_session(now, actions, out);
}

void BatchCore::call(librm::Now now, librm::Message message, BatchActions& out) {
  session_step(now, librm::Call{std::move(message)}, out);
}

void BatchCore::on_session(librm::Now now, librm::FrameworkActions& actions, BatchActions& out) {
  for (librm::FrameworkOutput& action : actions) {
    if (const auto* opened = std::get_if<librm::SessionOpened>(&action)) {
      // Durable before the first launch, because nothing is launched before the next flush().
      if (framework_ != opened->framework) persist(FrameworkIdRecord{opened->framework}, out);
      session_refusal_.clear();
      suppressed_ = offers_refused_ = revive_ = false;  // the master knows none of it any more
    } else if (const auto* update = std::get_if<librm::UpdateReceived>(&action)) {
      on_update(now, update->update, out);
    } else if (auto* wanted = std::get_if<librm::InverseOfferReceived>(&action)) {
      inverse_offers_.push_back(std::move(wanted->offer));
    } else if (const auto* refused = std::get_if<librm::CallRefused>(&action)) {
      if (refused->error.fatal) session_refusal_ = refused->error.message;
      trace("session", "refused: " + refused->error.message);
    } else if (std::holds_alternative<librm::ConnectMaster>(action) ||
               std::holds_alternative<librm::Send>(action) ||
               std::holds_alternative<librm::Close>(action)) {
      out.output(SessionOutput{std::move(action)});
    }
    // Offers are kept by the session until flush(); of lost agents each task's update tells.
  }
}

/// Why the attempt may still run when the window begins; empty: it ends in time.
std::string BatchCore::reason_to_stay(const Job& job, const Attempt& attempt,
                                      const librm::InverseOfferInfo& offer) const {
  const std::string name = "job " + std::to_string(job.id);
  if (!job.spec.time_limit) return name + " has no time limit";
  const librm::WallTime ends = attempt.latest.started.value_or(attempt.launched) +
                               *job.spec.time_limit + job.spec.kill_grace;
  if (ends <= offer.start) return {};
  return name + " may run for " + text::span(ends - offer.start) + " after the window begins";
}

/// Leaves an agent where every attempt there ends by its time limit before the window. One look at
/// the attempts for all that came: a window may be of many agents.
void BatchCore::answer_inverse_offers(librm::Now now, BatchActions& out) {
  if (inverse_offers_.empty()) return;
  const std::vector<librm::InverseOfferInfo> offers = std::exchange(inverse_offers_, {});
  std::map<librm::AgentId, const librm::InverseOfferInfo*> asked;
  for (const librm::InverseOfferInfo& offer : offers) asked[offer.agent] = &offer;
  std::map<librm::AgentId, std::string> reasons;
  for (const ElementId& id : with_live_attempts_) {
    const Job& job = jobs_.at(id.job);
    const Execution& execution = id.index ? job.elements->launched.at(*id.index) : job;
    for (const Attempt& attempt : execution.attempts) {
      const auto offer = asked.find(attempt.agent);
      if (offer == asked.end() || is_terminal(attempt.latest.state)) continue;
      std::string& reason = reasons[attempt.agent];
      if (reason.empty()) reason = reason_to_stay(job, attempt, *offer->second);
    }
  }
  librm::AcceptInverseOffers accept;
  accept.refuse_for = inverse_refuse_for;
  std::map<std::string, librm::DeclineInverseOffers> declines;
  for (const auto& [agent, offer] : asked) {
    const std::string& reason = reasons[agent];
    if (reason.empty()) {
      accept.offers.push_back(offer->id);
      continue;
    }
    librm::DeclineInverseOffers& decline = declines[reason];
    decline.refuse_for = inverse_refuse_for;
    decline.reason = reason;
    decline.offers.push_back(offer->id);
  }
  if (!accept.offers.empty()) call(now, std::move(accept), out);
  for (auto& [reason, decline] : declines) call(now, std::move(decline), out);
}

void BatchCore::on_timers(librm::Now now) {
  while (const auto key = timers_.take_due(now.mono)) {
    if (key->kind == TimerKey::Kind::fence) {
      to_reschedule_.insert(*key);
    } else if (const auto element = find_element(key->element)) {
      refresh(*element);
    }
  }
}

}  // namespace batch
