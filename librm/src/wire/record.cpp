// Instantiates the encoding of records once, so that their users don't compile it.
#include "librm/wire/record.hpp"

#include "librm/wire/codec.hpp"
#include "librm/wire/fields_cluster.hpp"
#include "librm/wire/numbers.hpp"

namespace librm {

RecordEntry encode_record(const MasterRecord& record, Dialect dialect) {
  return encode_record_entry(record, master_stream, dialect);
}

RecordEntry encode_record(const AgentCoreRecord& record, Dialect dialect) {
  return encode_record_entry(record, agent_stream, dialect);
}

Result<MasterRecord> decode_master_record(const RecordEntry& entry) {
  return decode_record_entry<MasterRecord>(entry);
}

Result<AgentCoreRecord> decode_agent_record(const RecordEntry& entry) {
  return decode_record_entry<AgentCoreRecord>(entry);
}

}  // namespace librm
