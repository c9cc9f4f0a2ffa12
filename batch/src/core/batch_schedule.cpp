// Matching waiting jobs with held offers: gather, fill first-fit, record, accept, decline.
#include <algorithm>
#include <set>
#include <tuple>
#include <utility>

#include "batch/batch.hpp"
#include "edges.hpp"
#include "environment.hpp"
#include "librm/base/check.hpp"
#include "librm/resource/fits.hpp"
#include "placement.hpp"
#include "text.hpp"

namespace batch {

namespace {

constexpr std::size_t forget_scan_max = 64;
constexpr std::size_t misfits_named_max = 8;
constexpr std::size_t too_long_max = 100;

}  // namespace

struct BatchCore::Bin {
  librm::AgentId agent;
  std::string role;
  librm::Incarnation incarnation;
  std::string hostname;
  const librm::Attributes* attributes = nullptr;  ///< of an offer that the session holds
  std::optional<librm::WallTime> available_until;
  librm::Resources free;
  std::vector<librm::OfferId> offers;
  std::vector<librm::TaskInfo> tasks;

  bool suits(const detail::JobShape& shape, const Patterns& engine) const {
    return role == shape.role &&
           !mismatch(shape.constraints, shape.patterns, engine, *attributes) &&
           !fits(shape.request, free, shape.role);
  }
  /// What is launched should end before planned maintenance.
  bool ends_in_time(const Job& job, librm::Now now) const {
    if (!available_until) return true;
    return now.wall + job.spec.time_limit.value_or(librm::Duration{}) < *available_until;
  }
};

/// Acknowledgements follow the records of their updates in the list of actions.
void BatchCore::send_acks(librm::Now now, BatchActions& out) {
  if (acks_.empty()) return;
  librm::AcknowledgeUpdates message;
  message.acks.swap(acks_);
  call(now, std::move(message), out);
}

void BatchCore::match_offers(librm::Now now, BatchActions& out) {
  if (!session_.subscribed() || session_.offers().empty()) return;
  std::vector<Bin> bins = gather_bins(now);
  std::vector<JobId> unfit;
  LaunchRecord launches = fill(now, bins, unfit);
  if (!launches.launches.empty()) {
    std::vector<JobId> launched;
    for (const LaunchRecord::Launch& launch : launches.launches) launched.push_back(launch.job);
    persist(std::move(launches), out);
    for (const JobId id : launched) {
      timers_.clear({TimerKey::Kind::retry, id, 0});
      announce(jobs_.at(id), out);
    }
  }
  answer_offers(now, bins, unfit, out);
}

/// Offers of one agent and role are used together.
std::vector<BatchCore::Bin> BatchCore::gather_bins(librm::Now now) const {
  std::vector<Bin> bins;
  std::map<std::tuple<librm::AgentId, librm::Incarnation, std::string>, std::size_t> places;
  for (const auto& [id, held] : session_.offers()) {
    const librm::OfferInfo& offer = held.offer;
    if (held.expires <= now.mono) continue;
    const auto [place, is_new] =
        places.try_emplace({offer.agent, offer.incarnation, offer.role}, bins.size());
    if (is_new) {
      Bin bin;
      bin.agent = offer.agent;
      bin.role = offer.role;
      bin.incarnation = offer.incarnation;
      bin.hostname = offer.hostname;
      bin.attributes = &offer.attributes;
      bins.push_back(std::move(bin));
    }
    Bin& bin = bins[place->second];
    bin.free += offer.resources;
    bin.offers.push_back(id);
    if (offer.available_until) {
      bin.available_until = bin.available_until
                                ? std::min(*bin.available_until, *offer.available_until)
                                : *offer.available_until;
    }
  }
  return bins;
}

/// In queue order, first fit. Free amounts only shrink, so each shape goes through the bins once,
/// and what its first job does not find none of its others will.
LaunchRecord BatchCore::fill(librm::Now now, std::vector<Bin>& bins, std::vector<JobId>& unfit) {
  LaunchRecord record;
  if (storage_low_) return record;
  struct Head {
    const detail::ReadyQueue::Shapes::value_type* group;
    std::size_t bin = 0;       ///< those before it suit no job of the group
    std::size_t too_long = 0;  ///< jobs passed over because of planned maintenance
  };
  std::map<detail::ReadyKey, Head> heads;
  for (const auto& group : ready_.shapes()) heads.emplace(*group.second.begin(), Head{&group});
  while (!heads.empty()) {
    auto [key, head] = *heads.begin();
    heads.erase(heads.begin());
    const Job& job = jobs_.at(key.job);
    const auto& [shape, keys] = *head.group;
    while (head.bin < bins.size() && !bins[head.bin].suits(shape, *options_.patterns)) ++head.bin;
    std::size_t chosen = head.bin;
    while (chosen < bins.size() && !(bins[chosen].ends_in_time(job, now) &&
                                     bins[chosen].suits(shape, *options_.patterns))) {
      ++chosen;
    }
    const bool placed = chosen < bins.size();
    if (!placed && unfit.size() < misfits_named_max) unfit.push_back(key.job);
    if (!placed) ++head.too_long;
    // The next of its group first: a launch may take the group's last job, and the group with it.
    if (const auto next = keys.upper_bound(key);
        next != keys.end() && head.bin < bins.size() && head.too_long < too_long_max) {
      heads.emplace(*next, head);
    }
    if (!placed) continue;
    record.launches.push_back(plan_launch(now, job, bins[chosen]));
    ready_.remove(job);
  }
  return record;
}

LaunchRecord::Launch BatchCore::plan_launch(librm::Now now, const Job& job, Bin& bin) const {
  auto picked = select(job.spec.request, bin.free, bin.role);
  LIBRM_CHECK(picked.has_value(), "the request was found to fit");
  bin.free -= *picked;

  Attempt attempt;
  attempt.run = job.run;
  if (!job.attempts.empty() && job.attempts.back().run == job.run) {
    attempt.attempt = job.attempts.back().attempt + 1;
  }
  attempt.agent = bin.agent;
  attempt.incarnation = bin.incarnation;
  attempt.hostname = bin.hostname;
  attempt.resources = *picked;
  attempt.launched = now.wall;
  attempt.latest.framework = session_.framework();
  attempt.latest.task = task_id({job.id, std::nullopt, attempt.run, attempt.attempt});
  attempt.latest.agent = bin.agent;

  librm::TaskInfo info;
  info.id = attempt.latest.task;
  info.name = job.spec.name;
  info.role = job.spec.role;
  info.resources = std::move(*picked);
  info.command = job.spec.command;
  info.kill_grace = job.spec.kill_grace;
  info.time_limit = job.spec.time_limit;
  if (job.spec.lost == LostPolicy::fence) info.fence_after = job.spec.fence_after;
  info.labels = job.spec.labels;
  add_environment(job, attempt, info.command.environment);
  bin.tasks.push_back(std::move(info));
  return {job.id, std::move(attempt)};
}

/// One acceptance for all that was placed on an agent; the other offers go back at once.
void BatchCore::answer_offers(librm::Now now, std::vector<Bin>& bins,
                              const std::vector<JobId>& unfit, BatchActions& out) {
  std::map<std::string, librm::DeclineOffers> declines;
  for (Bin& bin : bins) {
    // What is left of an accepted offer is filtered, too: it was too small for all that waits.
    offers_refused_ = true;
    if (bin.tasks.empty()) {
      std::string reason = refusal(bin, unfit);
      librm::DeclineOffers& decline = declines[reason];
      decline.refuse_for = options_.refuse_for;
      decline.reason = std::move(reason);
      decline.offers.insert(decline.offers.end(), bin.offers.begin(), bin.offers.end());
      continue;
    }
    bin.attributes = nullptr;  // belonged to the offer
    librm::AcceptOffers accept;
    accept.offers = std::move(bin.offers);
    accept.tasks = std::move(bin.tasks);
    accept.refuse_for = options_.refuse_for;
    call(now, std::move(accept), out);
  }
  for (auto& [reason, decline] : declines) call(now, std::move(decline), out);
}

std::string BatchCore::refusal(const Bin& bin, const std::vector<JobId>& unfit) const {
  if (storage_low_) return "the disk of the journal is nearly full";
  for (const JobId id : unfit) {
    const Job& job = jobs_.at(id);
    if (job.spec.role != bin.role) continue;
    std::string text = "nothing waiting fits: job " + std::to_string(id) + " needs ";
    if (const auto different = mismatch(job.spec.constraints, job.spec.patterns, *options_.patterns,
                                        *bin.attributes)) {
      return text + *different;
    }
    if (const auto short_of = fits(job.spec.request, bin.free, bin.role)) {
      return text + short_of->name + " " + to_string(short_of->need) + ", free " +
             to_string(short_of->free);
    }
    return text + "more time than is left until planned maintenance";
  }
  return ready_.empty() ? "no waiting job" : "nothing waiting fits";
}

/// Tells the master whether offers are wanted at all, and once if filters are out of date.
void BatchCore::ask_for_offers(librm::Now now, BatchActions& out) {
  if (!session_.subscribed()) return;
  const bool wanted = !ready_.empty() && !storage_low_;
  if (!wanted && !suppressed_) {
    suppressed_ = true;
    call(now, librm::SuppressOffers{}, out);
  } else if (wanted && (suppressed_ || revive_)) {
    suppressed_ = offers_refused_ = false;
    call(now, librm::ReviveOffers{}, out);
  }
  if (wanted || suppressed_) revive_ = false;
}

/// Its siblings may still run, and how it ended counts for the run's end.
bool BatchCore::in_live_run(JobId id) const {
  const Job& job = jobs_.at(id);
  const auto found = job.schedule ? schedules_.find(job.schedule->schedule) : schedules_.end();
  if (found == schedules_.end()) return false;
  const std::vector<ScheduleRun>& runs = found->second.runs;
  return std::any_of(runs.begin(), runs.end(), [&](const ScheduleRun& run) {
    return run.number == job.schedule->run && run.state == JobState::running;
  });
}

/// Retention: the oldest ended jobs go first, except those that a live job or attempt refers to.
void BatchCore::forget_ended(BatchActions& out) {
  if (ended_.size() <= options_.ended_jobs_max) return;
  std::size_t surplus = ended_.size() - options_.ended_jobs_max;
  std::vector<JobId> forgotten;
  std::size_t scanned = 0;
  for (auto at = ended_.begin();
       at != ended_.end() && forgotten.size() < surplus && scanned < forget_scan_max + surplus;
       ++at, ++scanned) {
    const JobId id = at->second;
    const auto child = children_.lower_bound({id, 0});
    if (child != children_.end() && child->first == id) continue;
    if (with_live_attempts_.count(id) == 0 && !in_live_run(id)) forgotten.push_back(id);
  }
  for (const JobId id : forgotten) persist(JobRemovedRecord{id}, out);
}

}  // namespace batch
