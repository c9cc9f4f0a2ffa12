// Matching waiting jobs with held offers: gather, fill first-fit, record, accept, decline.
#include <algorithm>
#include <set>
#include <tuple>
#include <utility>

#include "batch/batch.hpp"
#include "edges.hpp"
#include "elements.hpp"
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
  bool lent = false;  ///< until then: what is launched is sure to end earlier
  librm::Resources free;
  std::vector<librm::OfferId> offers;
  std::vector<librm::TaskInfo> tasks;

  bool suits(const detail::JobShape& shape, const Patterns& engine) const {
    return role == shape.role &&
           !mismatch(shape.constraints, shape.patterns, engine, *attributes) &&
           !fits(shape.request, free, shape.role);
  }
  /// What is launched should end before planned maintenance, and has to before a loan does.
  bool ends_in_time(const Job& job, librm::Now now) const {
    if (!lent) return !outlasts(job, available_until, now);
    const std::optional<librm::Duration> longest = holds_at_most(job.spec);
    return longest && now.wall + *longest <= *available_until;
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
    std::vector<ElementId> launched;
    for (const LaunchRecord::Launch& launch : launches.launches) {
      launched.push_back({launch.job, launch.index});
    }
    persist(std::move(launches), out);
    for (const ElementId& id : launched) {
      const Element element = *find_element(id);
      timers_.clear({TimerKey::Kind::retry, id, 0});
      announce(id, element.execution, out);
      refresh(element);
    }
  }
  answer_offers(now, bins, unfit, out);
}

/// Offers of one agent and role are used together.
std::vector<BatchCore::Bin> BatchCore::gather_bins(librm::Now now) const {
  std::vector<Bin> bins;
  std::map<std::tuple<librm::AgentId, librm::Incarnation, std::string, bool>, std::size_t> places;
  for (const auto& [id, held] : session_.offers()) {
    const librm::OfferInfo& offer = held.offer;
    if (held.expires <= now.mono) continue;
    const auto [place, is_new] =
        places.try_emplace({offer.agent, offer.incarnation, offer.role, offer.lent}, bins.size());
    if (is_new) {
      Bin bin;
      bin.agent = offer.agent;
      bin.role = offer.role;
      bin.incarnation = offer.incarnation;
      bin.hostname = offer.hostname;
      bin.lent = offer.lent && offer.available_until;
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

/// The elements of an array that could be launched, one after the other: first those that were
/// launched before.
class BatchCore::Startable {
 public:
  Startable(const BatchCore& core, const Job& job) {
    const std::uint32_t parallel_max = job.spec.array->parallel_max;
    const std::uint64_t running = job.elements->counts[JobState::running];
    if (parallel_max != 0) left_ = parallel_max - std::min<std::uint64_t>(parallel_max, running);
    if (const auto again = core.retriable_.find(job.id); again != core.retriable_.end()) {
      again_.assign(again->second.begin(), again->second.end());
    }
    fresh_ = never_launched(job);
    const auto eligible = core.eligible_.find(job.id);
    if (eligible != core.eligible_.end()) fresh_ = common(fresh_, eligible->second);
    if (!fresh_.empty()) next_ = fresh_.list().front().begin;
  }

  bool empty() const {
    return left_ == 0 || (again_at_ == again_.size() && range_ == fresh_.list().size());
  }

  /// Precondition: not empty.
  std::uint32_t take() {
    --left_;
    if (again_at_ < again_.size()) return again_[again_at_++];
    const std::uint64_t index = next_;
    if (next_ < fresh_.list()[range_].end) {
      ++next_;
    } else if (++range_ < fresh_.list().size()) {
      next_ = fresh_.list()[range_].begin;
    }
    return static_cast<std::uint32_t>(index);
  }

 private:
  std::uint64_t left_ = array_elements_max;  ///< that may run in addition
  std::vector<std::uint32_t> again_;
  std::size_t again_at_ = 0;
  librm::Ranges fresh_;
  std::size_t range_ = 0;
  std::uint64_t next_ = 0;
};

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
  std::map<JobId, Startable> arrays;
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
    if (placed && job.elements) {
      Startable& startable = arrays.try_emplace(job.id, *this, job).first->second;
      record.launches.push_back(plan_launch(now, job, startable.take(), bins[chosen]));
      if (!startable.empty()) {
        heads.emplace(key, head);
        continue;
      }
    } else if (placed) {
      record.launches.push_back(plan_launch(now, job, std::nullopt, bins[chosen]));
    }
    // The next of its group first: a launch may take the group's last job, and the group with it.
    if (const auto next = keys.upper_bound(key);
        next != keys.end() && head.bin < bins.size() && head.too_long < too_long_max) {
      heads.emplace(*next, head);
    }
    if (placed) ready_.remove(job);
  }
  return record;
}

LaunchRecord::Launch BatchCore::plan_launch(librm::Now now, const Job& job,
                                            std::optional<std::uint32_t> index, Bin& bin) const {
  auto picked = select(job.spec.request, bin.free, bin.role);
  LIBRM_CHECK(picked.has_value(), "the request was found to fit");
  bin.free -= *picked;

  const Execution* launched = index ? find_launched(job, *index) : &job;
  Attempt attempt;
  if (launched != nullptr) attempt.run = launched->run;
  if (launched != nullptr && !launched->attempts.empty() &&
      launched->attempts.back().run == launched->run) {
    attempt.attempt = launched->attempts.back().attempt + 1;
  }
  attempt.attempt = std::max(attempt.attempt, attempts_before_ + 1);
  attempt.agent = bin.agent;
  attempt.incarnation = bin.incarnation;
  attempt.hostname = bin.hostname;
  attempt.resources = *picked;
  attempt.launched = now.wall;
  attempt.latest.framework = session_.framework();
  attempt.latest.task = task_id({job.id, index, attempt.run, attempt.attempt});
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
  // Others can plan with what is known to end; its time limit ends it earlier.
  if (const auto longest = holds_at_most(job.spec)) info.release_by = now.wall + *longest;
  if (bin.lent) info.release_by = bin.available_until;
  info.labels = job.spec.labels;
  add_environment(job, index, attempt, info.command.environment);
  bin.tasks.push_back(std::move(info));
  return {job.id, std::move(attempt), index};
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
    return text + (bin.lent ? "more time than it is lent for"
                            : "more time than is left until planned maintenance");
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
  if (ended_size_ <= options_.ended_jobs_max) return;
  std::uint64_t left = ended_size_;
  std::vector<JobId> forgotten;
  std::size_t scanned = 0;
  for (auto at = ended_.begin(); at != ended_.end() && scanned < forget_scan_max; ++at, ++scanned) {
    const JobId id = at->second;
    const std::uint64_t size = size_of(jobs_.at(id).spec);
    // An array larger than all that is kept would else be forgotten at its end.
    if (left - size < options_.ended_jobs_max) break;
    const auto child = children_.lower_bound({id, 0});
    if (child != children_.end() && child->first == id) continue;
    const auto live = with_live_attempts_.lower_bound({id, std::nullopt});
    if ((live != with_live_attempts_.end() && live->job == id) || in_live_run(id)) continue;
    forgotten.push_back(id);
    left -= size;
    scanned = 0;
  }
  for (const JobId id : forgotten) persist(JobRemovedRecord{id}, out);
}

}  // namespace batch
