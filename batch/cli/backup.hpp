// The verbs `backup` and `restore`.
#pragma once

#include "verb.hpp"

namespace batch::cli {

Action define_backup(CLI::App& app, Context& context);
Action define_restore(CLI::App& app, Context& context);

}  // namespace batch::cli
