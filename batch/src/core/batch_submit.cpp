// Submissions: all of a request's jobs are found good, or none is taken.
#include <algorithm>
#include <charconv>
#include <limits>
#include <utility>

#include "batch/array_text.hpp"
#include "batch/batch.hpp"
#include "edges.hpp"
#include "elements.hpp"
#include "librm/resource/fits.hpp"
#include "text.hpp"
#include "validate.hpp"

namespace batch {

namespace {

using librm::ErrorCode;
using librm::fail;
using librm::Result;

constexpr std::size_t cycle_names_max = 20;
constexpr std::size_t key_size_max = 255;

std::string path_of(std::size_t position) { return "/jobs/" + std::to_string(position); }

tl::unexpected<Refusal> refuse(ErrorCode code, std::string message, std::string path = "") {
  return tl::unexpected(Refusal{{code, std::move(message)}, std::move(path)});
}

/// Names the job, and blames the field with which the message begins.
tl::unexpected<Refusal> blame(const std::vector<JobSpec>& specs, std::size_t position,
                              const librm::Error& error) {
  return refuse(error.code, label_of(specs, position) + ": " + error.message,
                path_of(position) + field_path(error.message));
}

/// `name -> position` of those that have one; the error names the job that comes twice.
Checked<std::map<std::string_view, std::size_t>> index_names(const std::vector<JobSpec>& specs) {
  std::map<std::string_view, std::size_t> by_name;
  for (std::size_t i = 0; i < specs.size(); ++i) {
    if (specs[i].name.empty()) continue;
    if (!by_name.emplace(specs[i].name, i).second) {
      return blame(specs, i, {ErrorCode::invalid_argument, "name: used twice in this submission"});
    }
  }
  return by_name;
}

/// The pointer to the dependency of one job on another.
std::string edge_path(const std::vector<JobSpec>& specs, std::size_t child, std::size_t parent) {
  for (const DependencySpec& dependency : specs[child].dependencies) {
    if (dependency.parent != specs[parent].name) continue;
    return path_of(child) + "/after_" + to_string(dependency.kind);
  }
  return path_of(child);
}

Checked<void> check_cycles(const std::vector<JobSpec>& specs,
                           const std::map<std::string_view, std::size_t>& by_name) {
  std::vector<std::vector<std::size_t>> parents(specs.size());
  for (std::size_t i = 0; i < specs.size(); ++i) {
    for (const DependencySpec& dependency : specs[i].dependencies) {
      auto found = by_name.find(dependency.parent);
      if (found != by_name.end()) parents[i].push_back(found->second);
    }
  }
  const std::vector<std::size_t> cycle = find_cycle(parents);
  if (cycle.empty()) return {};
  std::string path;
  for (std::size_t i = 0; i < cycle.size(); ++i) {
    if (i > 0) path += " -> ";
    // The end of a long cycle is its beginning.
    if (cycle.size() > cycle_names_max && i == cycle_names_max - 1) {
      path += "... -> ";
      i = cycle.size() - 1;
    }
    path += specs[cycle[i]].name;
  }
  return refuse(ErrorCode::invalid_argument, "dependency cycle: " + path,
                edge_path(specs, cycle[0], cycle[1]));
}

/// Each element needs one of the same index to follow.
Result<void> check_corresponding(const JobSpec& child, const JobSpec& parent) {
  const std::string field = "after_corr: " + text::quoted(parent.name);
  if (child.array.has_value() != parent.array.has_value()) {
    return fail(ErrorCode::invalid_argument,
                field + ": one of the two is an array and the other is not");
  }
  if (!child.array || parent.array->indices.contains(child.array->indices)) return {};
  librm::Ranges missing = child.array->indices;
  missing -= parent.array->indices;
  return fail(ErrorCode::invalid_argument,
              field + ": it has no element " + std::to_string(missing.list().front().begin) +
                  ", its elements are " + indices_text(parent.array->indices));
}

std::string list_of(const std::set<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

}  // namespace

Checked<std::vector<JobId>> BatchCore::submit(librm::Now now, const SubmitJobs& request,
                                              bool& repeated, BatchActions& out) {
  const std::string& idempotency_key = request.idempotency_key;
  if (auto known = keys_.find(idempotency_key); !request.dry_run && known != keys_.end()) {
    repeated = true;
    return repeat_submission(known->second, request);
  }
  auto jobs = prepare(now, request);
  if (!jobs) return tl::unexpected(jobs.error());
  if (request.dry_run) return std::vector<JobId>{};
  std::vector<JobId> ids;
  for (const Job& job : *jobs) ids.push_back(job.id);
  persist(JobsRecord{std::move(*jobs), idempotency_key}, out);
  welcome(now, ids, out);
  return ids;
}

/// The jobs as they would be stored.
Checked<std::vector<Job>> BatchCore::prepare(librm::Now now, const SubmitJobs& request) const {
  std::vector<JobSpec> specs;
  for (const JobSpec& spec : request.jobs) specs.push_back(with_defaults(spec));
  if (auto ok = check_submission(request, specs); !ok) return tl::unexpected(ok.error());
  const auto by_name = index_names(specs).value();
  std::vector<Job> jobs;
  for (std::size_t i = 0; i < specs.size(); ++i) {
    auto edges = resolve(specs, specs[i], by_name);
    if (!edges) return blame(specs, i, edges.error());
    Job job;
    job.id = job_id_last_ + 1 + i;
    job.edges = std::move(*edges);
    job.submitted = now.wall;
    if (!specs[i].image.empty()) {
      job.state = JobState::failed;
      job.reason = "container: image " + specs[i].image + ": images are not supported yet";
      job.ended = now.wall;
    } else if (specs[i].hold) {
      job.state = JobState::held;
      job.reason = "held by its submitter";
    }
    jobs.push_back(std::move(job));
  }
  for (std::size_t i = 0; i < specs.size(); ++i) {
    if (specs[i].name.empty()) {
      specs[i].name = free_name(jobs[i].id);
      while (by_name.count(specs[i].name) != 0) specs[i].name += '-';
    }
  }
  // by_name looks at the specifications, so they move last.
  for (std::size_t i = 0; i < specs.size(); ++i) {
    jobs[i].spec = std::move(specs[i]);
    if (!jobs[i].spec.array) continue;
    begin_elements(jobs[i]);
    settle_whole(jobs[i]);
  }
  return jobs;
}

/// Tells of jobs that were stored, and starts what can start.
void BatchCore::welcome(librm::Now now, const std::vector<JobId>& ids, BatchActions& out) {
  for (const JobId id : ids) {
    Job& job = jobs_.at(id);
    announce({id, std::nullopt}, job, out);
    begin_corresponding(now, job, out);
    settle_job(now, job, out);
    if (!is_terminal(job.state)) continue;
    settling_.push_back({id, std::nullopt});
    if (job.schedule) ending_runs_.push_back(*job.schedule);
  }
}

/// The answer of the first time, if it is the same request.
Checked<std::vector<JobId>> BatchCore::repeat_submission(const std::vector<JobId>& known,
                                                         const SubmitJobs& request) const {
  bool same = known.size() == request.jobs.size();
  for (std::size_t i = 0; same && i < known.size(); ++i) {
    const Job* job = find(known[i]);
    if (job == nullptr) continue;  // forgotten: taken for the same
    JobSpec given = with_defaults(request.jobs[i]);
    if (given.name.empty()) given.name = job->spec.name;
    same = given == job->spec;
  }
  if (!same) {
    return refuse(ErrorCode::already_exists, "idempotency key " +
                                                 text::quoted(request.idempotency_key) +
                                                 ": it was used for another submission, of job " +
                                                 std::to_string(known.empty() ? 0 : known.front()));
  }
  return known;
}

Checked<void> BatchCore::check_submission(const SubmitJobs& request,
                                          const std::vector<JobSpec>& specs) const {
  if (storage_low_) {
    return refuse(ErrorCode::unavailable,
                  "no submissions are taken: the disk of the journal is nearly full");
  }
  if (specs.empty()) {
    return refuse(ErrorCode::invalid_argument, "jobs: the list is empty", "/jobs");
  }
  if (request.idempotency_key.size() > key_size_max) {
    return refuse(ErrorCode::invalid_argument, "idempotency key: more than 255 bytes");
  }
  for (std::size_t i = 0; i < specs.size(); ++i) {
    const JobSpec& spec = specs[i];
    if (auto ok = check_spec(spec); !ok) return blame(specs, i, ok.error());
    for (const PatternConstraint& one : spec.patterns) {
      if (auto ok = options_.patterns->check(one.pattern); !ok) {
        return blame(
            specs, i,
            {ok.error().code, std::string(field_of(one)) + ": " + text::quoted(one.attribute) +
                                  ": " + ok.error().message});
      }
    }
    const std::set<std::string>& roles = options_.framework.roles;
    if (roles.count(spec.role) == 0) {
      return blame(
          specs, i,
          {ErrorCode::invalid_argument,
           "role: no offers come in " + text::quoted(spec.role) + ", only in " + list_of(roles)});
    }
    if (spec.dependencies.size() > options_.dependency_max) {
      const EdgeKind first_beyond = spec.dependencies[options_.dependency_max].kind;
      return blame(
          specs, i,
          {ErrorCode::invalid_argument, std::string("after_") + to_string(first_beyond) + ": " +
                                            std::to_string(spec.dependencies.size()) +
                                            " dependencies together, at most " +
                                            std::to_string(options_.dependency_max)});
    }
    const Job* same = spec.name.empty() ? nullptr : find(spec.name);
    if (same != nullptr && !is_terminal(same->state)) {
      return blame(specs, i,
                   {ErrorCode::already_exists, "name: job " + std::to_string(same->id) +
                                                   " has it and is " + to_string(same->state) +
                                                   "; cancel it or choose another name"});
    }
  }
  std::uint64_t size = 0;
  for (const JobSpec& spec : specs) size += size_of(spec);
  if (live_size_ + size > options_.jobs_max) {
    return refuse(ErrorCode::resource_exhausted,
                  "jobs: " + std::to_string(live_size_) + " are live and " + std::to_string(size) +
                      " more are submitted" +
                      (size > specs.size() ? ", each element of an array counted" : "") +
                      ", the limit is " + std::to_string(options_.jobs_max));
  }
  auto by_name = index_names(specs);
  if (!by_name) return tl::unexpected(by_name.error());
  if (auto ok = check_cycles(specs, *by_name); !ok) return ok;
  // Jobs of one submission are mostly alike, and clusters may be large.
  std::map<detail::JobShape, bool, detail::JobShapeLess> sized;
  for (std::size_t i = 0; i < specs.size(); ++i) {
    const JobSpec& spec = specs[i];
    if (sized.find(spec) != sized.end()) continue;
    if (auto ok = check_size(spec); !ok) return blame(specs, i, ok.error());
    sized.emplace(detail::JobShape{spec.role, spec.request, spec.constraints, spec.patterns}, true);
  }
  return {};
}

/// Names mean jobs of the same submission first, then the live one, then the latest ended one.
Result<std::vector<Edge>> BatchCore::resolve(
    const std::vector<JobSpec>& specs, const JobSpec& spec,
    const std::map<std::string_view, std::size_t>& by_name) const {
  std::vector<Edge> edges;
  std::set<std::pair<JobId, EdgeKind>> seen;
  for (const DependencySpec& dependency : spec.dependencies) {
    const std::string field = std::string("after_") + to_string(dependency.kind);
    const std::string& name = dependency.parent;
    Edge edge;
    edge.kind = dependency.kind;
    const JobSpec* parent_spec = nullptr;
    if (auto sibling = by_name.find(name); sibling != by_name.end()) {
      edge.parent = job_id_last_ + 1 + sibling->second;
      parent_spec = &specs[sibling->second];
    } else {
      JobId id = 0;
      const auto [stop, error] = std::from_chars(name.data(), name.data() + name.size(), id);
      const bool is_id = error == std::errc() && stop == name.data() + name.size();
      const Job* parent = is_id ? find(id) : find(name);
      if (parent == nullptr) {
        return fail(ErrorCode::invalid_argument,
                    field + ": no job " + text::quoted(name) + " is known");
      }
      edge.parent = parent->id;
      edge.parent_run = parent->run;
      edge.state = judge_edge(edge, parent);
      parent_spec = &parent->spec;
    }
    if (edge.kind == EdgeKind::corresponding) {
      if (auto ok = check_corresponding(spec, *parent_spec); !ok) return tl::unexpected(ok.error());
    }
    if (seen.emplace(edge.parent, edge.kind).second) edges.push_back(edge);
  }
  return edges;
}

/// Refused where no known agent could ever hold the job. Without agents, `why` tells instead.
Result<void> BatchCore::check_size(const JobSpec& spec) const {
  if (shape_.nodes.empty()) return {};
  for (const ClusterShape::Node& node : shape_.nodes) {
    if (!fits(spec.request, node.total, spec.role)) return {};
  }
  // One amount that nobody has is the clearest answer.
  for (const auto& [name, need] : spec.request.amounts) {
    librm::Request single;
    single.amounts.emplace(name, need);
    const ClusterShape::Node* largest = nullptr;
    librm::Amount most;
    bool anywhere = false;
    for (const ClusterShape::Node& node : shape_.nodes) {
      const auto short_of = fits(single, node.total, spec.role);
      anywhere = anywhere || !short_of;
      if (short_of && (largest == nullptr || short_of->free > most)) {
        largest = &node;
        most = short_of->free;
      }
    }
    if (anywhere || largest == nullptr) continue;
    return fail(ErrorCode::resource_exhausted, name + ": need " + to_string(need) +
                                                   ", the largest agent (" +
                                                   to_string(largest->agent) + ", " +
                                                   largest->hostname + ") has " + to_string(most));
  }
  const ClusterShape::Node& first = shape_.nodes.front();
  return fail(ErrorCode::resource_exhausted,
              "no agent has " + to_string(spec.request) + " together; for example " +
                  to_string(first.agent) + " (" + first.hostname +
                  "): " + to_string(*fits(spec.request, first.total, spec.role)));
}

/// `job-42`, or longer where somebody took that name for another live job.
std::string BatchCore::free_name(JobId id) const {
  std::string name = "job-" + std::to_string(id);
  for (const Job* taken = find(name); taken != nullptr && !is_terminal(taken->state);
       taken = find(name)) {
    name += '-';
  }
  return name;
}

}  // namespace batch
