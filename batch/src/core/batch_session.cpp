// The session with the master: what it tells, what it is asked, and the timers of retries.
#include <utility>

#include "batch/batch.hpp"

namespace batch {

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

void BatchCore::on_timers(librm::Now now, BatchActions& out) {
  while (const auto key = timers_.take_due(now.mono)) {
    if (key->kind == TimerKey::Kind::fence) {
      on_fence(now, *key, out);
    } else if (const auto element = find_element(key->element)) {
      refresh(*element);
    }
  }
}

}  // namespace batch
