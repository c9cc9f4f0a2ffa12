// Facts first, then a table of streams and one of snapshots, then what is wrong.
#include "journal_view.hpp"

#include "facts.hpp"
#include "table.hpp"
#include "text.hpp"

namespace batch::cli {
namespace {

std::string counted(double count, const std::string& what) {
  return human_number(count) + ' ' + what + (count == 1 ? "" : "s");
}

std::string range(const Json& object, const char* first, const char* last) {
  const std::uint64_t from = id_of(object, first);
  const std::uint64_t to = id_of(object, last);
  if (to == 0) return "-";
  return from == to ? std::to_string(to) : std::to_string(from) + '-' + std::to_string(to);
}

std::string verdict(const Terminal& terminal, const Json& report) {
  if (member(report, "ok") == true) {
    return paint(terminal, "32", terminal.utf8 ? "✔ sound" : "sound") +
           (id_of(report, "replayed") == 0
                ? ""
                : ": " + counted(*number_of(report, "replayed"), "record") +
                      " decoded and replayed");
  }
  const auto count = static_cast<double>(member(report, "damage").size());
  return paint(terminal, "1;31", terminal.utf8 ? "✘ damaged" : "damaged") + " in " +
         counted(count, "place");
}

std::string streams_table(const Terminal& terminal, const Json& report) {
  Table table({{"STREAM"},
               {"RECORDS", true},
               {"ROWS", true},
               {"SIZE", true},
               {"LSN", true},
               {"EPOCH", true}});
  for (const Json& stream : member(report, "streams")) {
    table.add({shown(stream, "stream"), shown(stream, "records"), shown(stream, "rows"),
               human_bytes(number_of(stream, "bytes").value_or(0)),
               range(stream, "first_lsn", "last_lsn"), range(stream, "first_epoch", "last_epoch")});
  }
  return table.empty() ? "" : '\n' + table.render(terminal, true);
}

std::string snapshots_table(const Terminal& terminal, const Json& report) {
  Table table({{"SNAPSHOT", true}, {"STREAM"}, {"AT LSN", true}, {"ENTRIES", true}, {"STATE"}});
  for (const Json& one : member(report, "snapshots")) {
    table.add({shown(one, "snapshot"), shown(one, "stream"), shown(one, "start_lsn"),
               shown(one, "entries"), member(one, "finished") == true ? "finished" : "unfinished"});
  }
  return table.empty() ? "" : '\n' + table.render(terminal, true);
}

std::string damage_list(const Terminal& terminal, const Json& report) {
  std::string text;
  for (const Json& one : member(report, "damage")) {
    text += (text.empty() ? "\n" : "") + paint(terminal, "31", shown(one, "where")) + ": " +
            shown(one, "why") + '\n';
    if (const std::string lost = shown(one, "lost"); !lost.empty())
      text += "  lost: " + lost + '\n';
  }
  return text;
}

}  // namespace

std::string human_bytes(double bytes) {
  if (bytes < 1024) return human_number(bytes) + "B";
  if (bytes < 1024 * 1024)
    return human_number(static_cast<double>(static_cast<std::uint64_t>(bytes / 1024))) + 'K';
  return human_mib(bytes / (1024 * 1024));
}

std::string describe_state(const Terminal& terminal, const Json& holds) {
  if (!holds.is_object()) return "";
  if (holds.contains("agent")) {
    return "agent " + shown(holds, "agent") + ", " +
           counted(number_of(holds, "tasks").value_or(0), "task");
  }
  std::string states;
  for (const auto& [state, count] : member(holds, "jobs_by_state").items()) {
    if (!count.is_number() || count == 0) continue;
    states += (states.empty() ? " (" : ", ") + human_number(count.get<double>()) + ' ' +
              paint_state(terminal, escape(state));
  }
  return counted(number_of(holds, "jobs").value_or(0), "job") + states +
         (states.empty() ? "" : ")") + ", " +
         counted(number_of(holds, "agents").value_or(0), "node") + ", " +
         counted(number_of(holds, "schedules").value_or(0), "schedule");
}

std::string describe_journal(const Terminal& terminal, const Json& report) {
  Facts facts(terminal);
  facts.add("Journal", shown(report, "file"));
  const std::string owner = shown(report, "owner");
  facts.add("Of", owner == "agent" ? "an agent" : owner == "master" ? "a master" : "nobody yet");
  facts.add("State", verdict(terminal, report));
  facts.add("Holds", describe_state(terminal, member(report, "holds")));
  facts.add("Epoch", shown(member(report, "holds"), "epoch"));
  facts.add("Last LSN", shown(report, "last_lsn"));
  const double log = number_of(report, "wal_bytes").value_or(0);
  facts.add("Size", human_bytes(number_of(report, "bytes").value_or(0)) +
                        (log > 0 ? ", and " + human_bytes(log) + " in its write-ahead log" : "") +
                        ", format " + shown(report, "format"));
  std::string text = facts.text() + streams_table(terminal, report) +
                     snapshots_table(terminal, report) + damage_list(terminal, report);
  for (const Json& note : member(report, "notes")) {
    if (note.is_string()) text += "\nnote: " + escape(note.get<std::string>()) + '\n';
  }
  return text;
}

}  // namespace batch::cli
