// What becomes of a job or an element, as a record to be altered.
#pragma once

#include "batch/job.hpp"
#include "batch/record.hpp"

namespace batch {

/// Its durable values as they are.
JobChangeRecord change_record(const ElementId& id, const Execution& execution);

/// The attempt of that number and run; null where there is none.
Attempt* find_attempt(Execution& execution, std::uint32_t run, std::uint32_t number);

}  // namespace batch
