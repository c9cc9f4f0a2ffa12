// Encoding, checking and merging of the rows that journals store.
#include "journal_entry.hpp"

#include <algorithm>

#include "librm/wire/crc32c.hpp"
#include "librm/wire/little_endian.hpp"

namespace librm::store_detail {
namespace {

using detail::load_little_endian;
using detail::store_little_endian;

constexpr std::size_t entry_header_size = 14;

template <class... Numbers>
std::uint32_t checksum_of(std::string_view bytes, Numbers... numbers) {
  char header[(sizeof(Numbers) + ...)];
  char* p = header;
  ((store_little_endian(p, numbers), p += sizeof numbers), ...);
  return crc32c(bytes, crc32c(std::string_view(header, sizeof header)));
}

}  // namespace

void append_entry(std::string& entries, std::uint32_t lsn_offset, const RecordEntry& entry) {
  char header[entry_header_size];
  store_little_endian(header, lsn_offset);
  store_little_endian(header + 4, entry.number);
  store_little_endian(header + 6, entry.version);
  store_little_endian(header + 8, entry.oldest_reader);
  store_little_endian(header + 10, static_cast<std::uint32_t>(entry.payload.size()));
  entries.append(header, sizeof header);
  entries.append(entry.payload);
}

std::uint32_t checksum(const LogRow& row) {
  return checksum_of(row.entries, row.first_lsn, row.last_lsn, row.commit_lsn, row.stream,
                     row.epoch);
}

std::uint32_t checksum(const SnapshotRow& row) {
  return checksum_of({}, row.generation, row.stream, row.start_lsn, std::uint8_t{row.finished});
}

std::uint32_t slice_checksum(std::uint64_t generation, std::string_view entries) {
  return checksum_of(entries, generation);
}

Result<void> for_each_entry(std::string_view entries, std::uint16_t stream,
                            const std::string& row_name, const VisitEntry& visit) {
  while (!entries.empty()) {
    if (entries.size() < entry_header_size) {
      return fail(ErrorCode::corrupt, row_name + ": ends inside an entry");
    }
    RecordEntry entry;
    entry.stream = stream;
    const auto offset = load_little_endian<std::uint32_t>(entries.data());
    entry.number = load_little_endian<std::uint16_t>(entries.data() + 4);
    entry.version = load_little_endian<std::uint16_t>(entries.data() + 6);
    entry.oldest_reader = load_little_endian<std::uint16_t>(entries.data() + 8);
    const auto size = load_little_endian<std::uint32_t>(entries.data() + 10);
    entries.remove_prefix(entry_header_size);
    if (entries.size() < size) {
      return fail(ErrorCode::corrupt, row_name + ": entry of " + std::to_string(size) +
                                          " bytes, left " + std::to_string(entries.size()));
    }
    entry.payload.assign(entries.data(), size);
    entries.remove_prefix(size);
    Result<void> visited = visit(offset, std::move(entry));
    if (!visited) return visited;
  }
  return {};
}

Result<void> Replayer::add(const LogRow& row) {
  if (row.commit_lsn != commit_lsn_) {
    Result<void> flushed = flush();
    if (!flushed) return flushed;
    commit_lsn_ = row.commit_lsn;
  }
  const auto snapshot = snapshots_.find(row.stream);
  const Lsn covered = snapshot == snapshots_.end() ? 0 : snapshot->second.start_lsn;
  return for_each_entry(row.entries, row.stream, "log row " + std::to_string(row.first_lsn),
                        [&](std::uint32_t offset, RecordEntry entry) {
                          const Lsn lsn = row.first_lsn + offset;
                          if (lsn > covered) entries_.emplace_back(lsn, std::move(entry));
                          return Result<void>();
                        });
}

Result<void> Replayer::flush() {
  const auto earlier = [](const auto& a, const auto& b) { return a.first < b.first; };
  if (!std::is_sorted(entries_.begin(), entries_.end(), earlier)) {
    std::sort(entries_.begin(), entries_.end(), earlier);
  }
  for (const auto& [lsn, entry] : entries_) {
    Result<void> taken = on_record_(lsn, entry);
    if (!taken) return taken;
  }
  entries_.clear();
  return {};
}

}  // namespace librm::store_detail
