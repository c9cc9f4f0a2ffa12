// Why a job waits although it would fit: what quotas and others' earmarks keep from it.
#pragma once

#include "batch/batch.hpp"
#include "librm/base/time.hpp"
#include "librm/cluster/master.hpp"

namespace librm::http {

/// The batch front end knows how much is free, the master to whom it may be offered: says so of the
/// nodes where the job would fit. Only where roles have quotas or frameworks have earmarks.
void add_claims(const MasterCore& master, const batch::BatchCore& batch, const batch::Job& job,
                Instant now, batch::Why& why);

}  // namespace librm::http
