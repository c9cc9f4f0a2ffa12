// What the verbs about nodes share.
#pragma once

#include <string>

#include "json_view.hpp"
#include "librm/base/result.hpp"
#include "master.hpp"
#include "verb.hpp"

namespace batch::cli {

/// `rack=r7,os=linux`.
std::string node_attributes(const Json& node);
/// Its status, and whether it is away.
std::string node_status(const Terminal& terminal, const Json& node);

/// The id of the node with this id or host name.
librm::Result<std::string> node_id(Master& master, const std::string& name);

}  // namespace batch::cli
