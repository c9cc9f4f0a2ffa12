// Records of the batch stream to journal entries and back.
#pragma once

#include "batch/record.hpp"
#include "librm/base/result.hpp"
#include "librm/wire/dialect.hpp"
#include "librm/wire/record_entry.hpp"

namespace batch {

/// An entry of batch_stream.
librm::RecordEntry encode_batch_record(const BatchRecord& record,
                                       librm::Dialect dialect = librm::Dialect::current);

/// Fails with `unsupported` (number or version) or `corrupt`; the message has the numbers. The
/// entry's stream is the caller's business.
librm::Result<BatchRecord> decode_batch_record(const librm::RecordEntry& entry);

}  // namespace batch
