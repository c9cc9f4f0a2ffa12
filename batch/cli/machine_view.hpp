// A node's packages, NUMA nodes, caches and cores, drawn with characters.
#pragma once

#include <string>
#include <vector>

#include "hwtopo/cpuset.hpp"
#include "hwtopo/topology.hpp"
#include "terminal.hpp"

namespace batch::cli {

/// What stands for the n-th task in the drawing: `A`..`Z`, `a`..`z`, then `#`.
char task_letter(std::size_t index);

/// Frames in frames, as wide as the terminal (100 columns where it has no width). Each core is a
/// pair of brackets with its hardware threads: their number, and with `taken` the letter of the
/// task that has it, a dot where it is free, and a star where several share it. `taken` is null
/// where nobody knows. Above 1024 threads nothing is drawn and the text is empty.
std::string draw_machine(const Terminal& terminal, const hwtopo::Topology& topology,
                         const std::vector<hwtopo::Cpuset>* taken);

}  // namespace batch::cli
