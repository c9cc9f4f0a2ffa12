// The picture of `rmctl top`: what of the cluster is in use, and by which jobs.
#pragma once

#include <cstddef>
#include <string>

#include "json_view.hpp"
#include "terminal.hpp"

namespace batch::cli {

/// As the master answers /v1/state, /v1/nodes and /v1/jobs?state=running.
struct ClusterPicture {
  Json state;
  Json nodes;
  Json jobs;
};

/// A bar of `width` columns of which `share`, from 0 to 1, is filled: green, from 70 % on yellow,
/// from 90 % on red. In eighths of a column where there is UTF-8; what is not nothing is seen.
std::string used_bar(const Terminal& terminal, double share, std::size_t width);

/// At most `rows` lines (0: all there is), as wide as the terminal, 80 columns where it has no
/// width. Nodes have at most half of them; the jobs that hold most come first. `now` is in seconds
/// since 1970.
std::string draw_top(const Terminal& terminal, std::size_t rows, const ClusterPicture& picture,
                     double now);

}  // namespace batch::cli
