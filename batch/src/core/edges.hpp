// Dependencies as pure functions: what a parent's state means for an edge, an edge for its child.
#pragma once

#include <string>

#include "batch/job.hpp"

namespace batch {

/// `parent` is null where it is forgotten. An edge that was decided stays as it is.
EdgeState judge_edge(const Edge& edge, const Job* parent);

/// True while an edge keeps the job from starting.
bool edges_block(const Job& job);

/// `job 41 (extract) failed`: why the edge can never be satisfied.
std::string describe_unsatisfiable(const Edge& edge, const Job* parent);

}  // namespace batch
