// What peers know of a leader's offers, as its messages and theirs say.
#include "cluster_node.hpp"

namespace rm_sim {

using namespace librm;

void ClusterNode::note_sent(const Send& send) {
  if (const auto* offers = std::get_if<Offers>(&send.message)) {
    for (const OfferInfo& offer : offers->offers) offered_[send.connection].insert(offer.id);
  } else if (const auto* rescind = std::get_if<RescindOffers>(&send.message)) {
    for (const OfferId offer : rescind->offers) offered_[send.connection].erase(offer);
  }
}

/// Whatever the answer is worth: who gave it counts on none of them any more.
void ClusterNode::note_received(ConnectionId connection, const Message& message) {
  const auto found = offered_.find(connection);
  if (found == offered_.end()) return;
  const auto answered = [&](const std::vector<OfferId>& offers) {
    for (const OfferId offer : offers) found->second.erase(offer);
  };
  if (const auto* accept = std::get_if<AcceptOffers>(&message)) answered(accept->offers);
  if (const auto* decline = std::get_if<DeclineOffers>(&message)) answered(decline->offers);
  if (const auto* together = std::get_if<AcceptTogether>(&message)) {
    for (const AcceptPart& part : together->parts) answered(part.offers);
  }
}

}  // namespace rm_sim
