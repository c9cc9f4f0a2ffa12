// From the store's report to JSON, and to words for what is lost.
#include "journal/check.hpp"

#include <utility>

namespace librm::journal {
namespace {

std::string lost_text(const JournalDamage& damage) {
  if (damage.first_lsn == 0) return {};
  const std::string of =
      damage.stream == 0 ? "" : " of the stream '" + stream_name(damage.stream) + "'";
  const std::string first = std::to_string(damage.first_lsn);
  if (damage.last_lsn == 0) return "all records" + of + " from LSN " + first + " on";
  if (damage.last_lsn == damage.first_lsn) return "record " + first + of;
  const Lsn count = damage.last_lsn - damage.first_lsn + 1;
  return "records " + first + " to " + std::to_string(damage.last_lsn) + of + ", at most " +
         std::to_string(count);
}

Json damage_to_json(const JournalDamage& damage) {
  Json json = {{"where", damage.where}, {"why", damage.why}};
  if (damage.stream != 0) json["stream"] = stream_name(damage.stream);
  if (damage.first_lsn != 0) json["first_lsn"] = damage.first_lsn;
  if (damage.last_lsn != 0) json["last_lsn"] = damage.last_lsn;
  if (std::string lost = lost_text(damage); !lost.empty()) json["lost"] = std::move(lost);
  return json;
}

Json stream_to_json(std::uint16_t number, const JournalStream& stream) {
  return {{"stream", stream_name(number)},     {"rows", stream.rows},
          {"records", stream.records},         {"bytes", stream.bytes},
          {"first_lsn", stream.first_lsn},     {"last_lsn", stream.last_lsn},
          {"first_epoch", stream.first_epoch}, {"last_epoch", stream.last_epoch}};
}

}  // namespace

Json report_to_json(const std::string& path, const JournalReport& report, const State& state) {
  const bool of_agent = report.streams.count(agent_stream) != 0;
  Json damage = Json::array();
  for (const JournalDamage& one : report.damage) damage.push_back(damage_to_json(one));
  Json notes = Json::array();
  if (report.wal_commits_cut != 0) {
    const std::string cut =
        std::to_string(report.wal_commits_cut) + " commits behind a damaged one cannot be read";
    if (of_agent) {
      notes.push_back("write-ahead log: " + cut +
                      ": after a crash of the host that is what was not synchronized");
    } else {
      damage.push_back(damage_to_json({"write-ahead log", cut, 0, report.last_lsn + 1, 0}));
    }
  }
  if (report.in_use) notes.push_back("in use: this is one moment of it, and its end is not judged");
  Json streams = Json::array();
  for (const auto& [number, stream] : report.streams) {
    streams.push_back(stream_to_json(number, stream));
  }
  Json snapshots = Json::array();
  for (const JournalSnapshot& one : report.snapshots) {
    snapshots.push_back({{"snapshot", one.generation},
                         {"stream", stream_name(one.stream)},
                         {"start_lsn", one.start_lsn},
                         {"entries", one.entries},
                         {"finished", one.finished}});
  }
  const bool known = state.is_master() || state.is_agent();
  return {{"file", path},
          {"ok", damage.empty()},
          {"owner", of_agent                 ? "agent"
                    : report.streams.empty() ? "none"
                                             : "master"},
          {"in_use", report.in_use},
          {"format", report.format},
          {"bytes", report.file_bytes},
          {"wal_bytes", report.wal_bytes},
          {"last_lsn", report.last_lsn},
          {"streams", std::move(streams)},
          {"snapshots", std::move(snapshots)},
          {"replayed", report.replayed},
          {"holds", known && damage.empty() ? state.summary() : Json()},
          {"damage", std::move(damage)},
          {"notes", std::move(notes)}};
}

Result<Json> check(const std::string& path) {
  State state;
  Result<JournalReport> report = check_journal(
      path, [&](Lsn lsn, const RecordEntry& entry) { return state.apply(lsn, entry); });
  if (!report) return tl::unexpected<Error>(std::move(report.error()));
  return report_to_json(path, *report, state);
}

}  // namespace librm::journal
