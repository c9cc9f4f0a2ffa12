// What this host has: the resources that an agent offers where nobody says otherwise.
#pragma once

#include <optional>
#include <string>

#include "hwtopo/topology.hpp"
#include "librm/base/id.hpp"
#include "librm/base/result.hpp"
#include "librm/cluster/agent.hpp"
#include "librm/resource/resources.hpp"

namespace librm::daemon {

/// This host, as far as this process may use it; or the machine that `synthetic` describes, where
/// that is not empty. Nothing where the system does not say (which is logged); an error for a bad
/// description.
Result<std::optional<hwtopo::Topology>> detect_topology(const std::string& synthetic);

/// Chooses processors of this host for tasks.
CpuPicker cpu_picker(hwtopo::Topology topology);

/// cpus: the hardware threads that this process may use; mem: MiB of memory less 1 GiB (half of it
/// below 2 GiB); disk: MiB of the file system of `work_dir` less 5 GiB (half of it below 10 GiB);
/// ports 31000-32000. Without a topology, cpus and mem are what the kernel counts.
Resources detect_resources(const std::string& work_dir, const hwtopo::Topology* topology);

/// What an operator writes: entries without a role are reserved for the default one, statically.
/// Fails with invalid_argument for what only comes into being while the agent runs: dynamic
/// reservations and volumes; and as Resources::parse() does.
Result<Resources> read_given_resources(const std::string& text, const std::string& default_role);

/// `given` replaces what was detected, name by name; the rest is for the default role.
Resources override_resources(const Resources& detected, const Resources& given,
                             const std::string& default_role);

/// The first 64 bits of the kernel's boot id, which changes with every boot and never is 0.
Result<Incarnation> read_incarnation();

std::string detect_hostname();

/// The file `name` beside this program's own.
std::string beside_own_program(const std::string& name);

}  // namespace librm::daemon
