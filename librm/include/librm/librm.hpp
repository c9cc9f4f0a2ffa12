// The embeddable core of librm in one include: values, resources, allocator, cluster state
// machines.
#pragma once

#include "librm/alloc/allocator.hpp"
#include "librm/alloc/share.hpp"
#include "librm/base/amount.hpp"
#include "librm/base/check.hpp"
#include "librm/base/id.hpp"
#include "librm/base/prng.hpp"
#include "librm/base/result.hpp"
#include "librm/base/time.hpp"
#include "librm/base/trace.hpp"
#include "librm/cluster/agent.hpp"
#include "librm/cluster/executor.hpp"
#include "librm/cluster/framework.hpp"
#include "librm/cluster/master.hpp"
#include "librm/resource/attributes.hpp"
#include "librm/resource/constraint.hpp"
#include "librm/resource/fits.hpp"
#include "librm/resource/operation.hpp"
#include "librm/resource/request.hpp"
#include "librm/resource/reservation.hpp"
#include "librm/resource/resources.hpp"
