// Records to journal entries and back, for those who need not know how they are encoded.
#pragma once

#include "librm/base/result.hpp"
#include "librm/cluster/record.hpp"
#include "librm/wire/dialect.hpp"
#include "librm/wire/record_entry.hpp"

namespace librm {

/// Entries of master_stream and agent_stream.
RecordEntry encode_record(const MasterRecord& record, Dialect dialect = Dialect::current);
RecordEntry encode_record(const AgentCoreRecord& record, Dialect dialect = Dialect::current);

/// Fail with `unsupported` (number or version) or `corrupt`; the message has the numbers. The
/// entry's stream is the caller's business.
Result<MasterRecord> decode_master_record(const RecordEntry& entry);
Result<AgentCoreRecord> decode_agent_record(const RecordEntry& entry);

}  // namespace librm
