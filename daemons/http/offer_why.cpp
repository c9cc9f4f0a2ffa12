// The allocator's reasons in the words of a job's.
#include "http/offer_why.hpp"

#include <map>
#include <string>
#include <string_view>

#include "librm/alloc/allocator.hpp"

namespace librm::http {

namespace {

/// What the front end itself refused or did not ask for is over by the next offer.
bool is_its_own(std::string_view reason) {
  return reason.starts_with("declined: ") || reason.starts_with("suppressed: ");
}

}  // namespace

void add_claims(const MasterCore& master, const batch::BatchCore& batch, const batch::Job& job,
                Instant now, batch::Why& why) {
  const Allocator& allocator = master.allocator();
  if (master.quotas().empty() && allocator.earmarks().empty()) return;
  if (why.nodes.empty() || !batch.framework()) return;
  std::map<AgentId, std::string> refused;
  for (Explanation& one :
       allocator.explain(*batch.framework(), job.spec.role, job.spec.request, now)) {
    if (!one.fits && !is_its_own(one.reason)) refused.emplace(one.agent, std::move(one.reason));
  }
  std::size_t fitting = 0;
  std::string reason;
  for (batch::Why::Node& node : why.nodes) {
    if (!node.fits) continue;
    const auto found = refused.find(node.agent);
    if (found == refused.end()) {
      ++fitting;
      continue;
    }
    node.fits = false;
    node.reason = found->second;
    if (reason.empty()) reason = node.reason;
  }
  constexpr std::string_view waits = " · waits for an offer";
  if (fitting > 0 || reason.empty() || !why.summary.ends_with(waits)) return;
  why.summary.replace(why.summary.size() - waits.size(), waits.size(),
                      " · gets no offer there: " + reason);
}

}  // namespace librm::http
