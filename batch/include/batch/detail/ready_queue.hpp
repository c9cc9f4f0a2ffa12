// Jobs that could start now, grouped by what they ask for, so that one look answers for a group.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "batch/job.hpp"
#include "librm/resource/attributes.hpp"
#include "librm/resource/request.hpp"

namespace batch::detail {

/// What decides where a job fits. Jobs of one shape fit in the same places.
struct JobShape {
  std::string role;
  librm::Request request;
  librm::Attributes constraints;
  std::vector<PatternConstraint> patterns;
};

struct JobShapeLess {
  using is_transparent = void;
  template <class A, class B>
  bool operator()(const A& a, const B& b) const {
    if (auto order = a.role <=> b.role; order != 0) return order < 0;
    if (auto order = a.request.amounts <=> b.request.amounts; order != 0) return order < 0;
    if (auto order = a.constraints <=> b.constraints; order != 0) return order < 0;
    return a.patterns < b.patterns;
  }
};

/// Position in the queue: higher priority first, then the lower id.
struct ReadyKey {
  std::int32_t priority = 0;
  JobId job = 0;
  bool operator==(const ReadyKey&) const = default;
  std::strong_ordering operator<=>(const ReadyKey& other) const {
    if (priority != other.priority) return other.priority <=> priority;
    return job <=> other.job;
  }
};

class ReadyQueue {
 public:
  using Keys = std::set<ReadyKey>;
  using Shapes = std::map<JobShape, Keys, JobShapeLess>;

  /// True where no job of this shape was waiting before. A job that is there already stays.
  bool add(const Job& job) {
    auto found = shapes_.find(job.spec);
    const bool first = found == shapes_.end();
    if (first) {
      JobShape shape{job.spec.role, job.spec.request, job.spec.constraints, job.spec.patterns};
      found = shapes_.emplace(std::move(shape), Keys{}).first;
    }
    if (found->second.insert(key(job)).second) ++size_;
    return first;
  }

  void remove(const Job& job) {
    auto found = shapes_.find(job.spec);
    if (found == shapes_.end() || found->second.erase(key(job)) == 0) return;
    --size_;
    if (found->second.empty()) shapes_.erase(found);
  }

  bool contains(const Job& job) const {
    auto found = shapes_.find(job.spec);
    return found != shapes_.end() && found->second.count(key(job)) != 0;
  }

  /// How many come before this job. Walks over them: for those who ask why.
  std::size_t ahead_of(const Job& job) const {
    std::size_t count = 0;
    for (const auto& [shape, keys] : shapes_) {
      for (auto at = keys.begin(); at != keys.end() && *at < key(job); ++at) ++count;
    }
    return count;
  }

  static ReadyKey key(const Job& job) { return {job.spec.priority, job.id}; }

  const Shapes& shapes() const { return shapes_; }
  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  void clear() {
    shapes_.clear();
    size_ = 0;
  }

 private:
  Shapes shapes_;
  std::size_t size_ = 0;
};

}  // namespace batch::detail
