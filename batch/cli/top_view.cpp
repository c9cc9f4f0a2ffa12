// Bars, the table of nodes and the table of jobs.
#include "top_view.hpp"

#include <algorithm>
#include <cmath>
#include <tuple>
#include <vector>

#include "job_view.hpp"
#include "progress.hpp"
#include "table.hpp"

namespace batch::cli {

namespace {

constexpr std::size_t width_default = 80;
constexpr std::size_t bar_width_min = 6;
constexpr std::size_t bar_width_max = 40;

std::string repeated(const char* glyph, std::size_t count) {
  std::string text;
  for (std::size_t i = 0; i < count; ++i) text += glyph;
  return text;
}

struct Use {
  double held = 0;
  double total = 0;
  double share() const { return total > 0 ? std::clamp(held / total, 0.0, 1.0) : 0; }
};

Use use_of(const Json& owner, const char* resource) {
  return {number_of(member(owner, "held"), resource).value_or(0),
          number_of(member(owner, "total"), resource).value_or(0)};
}

std::string amounts(const Use& use, std::string (*format)(double)) {
  return format(use.held) + '/' + format(use.total);
}

/// The number with what it counts, where there is any.
std::string count_text(const Json& counts, const char* key, const std::string& word) {
  const std::uint64_t count = id_of(counts, key);
  return count == 0 ? "" : std::to_string(count) + ' ' + word;
}

std::string nodes_text(const Json& nodes) {
  std::string text;
  for (const auto& [key, word] : {std::pair("connected", "here"), std::pair("unreachable", "away"),
                                  std::pair("gone", "gone")}) {
    const std::string one = count_text(nodes, key, word);
    if (!one.empty()) text += (text.empty() ? "" : ", ") + one;
  }
  return text.empty() ? "none" : text;
}

JobCounts counts_of(const Json& jobs) {
  return {id_of(jobs, "pending"),  id_of(jobs, "held"),   id_of(jobs, "running"),
          id_of(jobs, "finished"), id_of(jobs, "failed"), id_of(jobs, "cancelled")};
}

std::string meter(const Terminal& terminal, const char* name, const Use& use,
                  std::string (*format)(double), std::size_t width) {
  return paint(terminal, "1", name) + "  " + used_bar(terminal, use.share(), width) + "  " +
         amounts(use, format);
}

/// A line for each thing that an operator has to know.
std::string warnings(const Terminal& terminal, const Json& state) {
  std::string text;
  const auto warn = [&](const std::string& line) {
    text += paint(terminal, "33", shorten(line, terminal.width)) + '\n';
  };
  const std::string pause = text_of(state, "rescheduling_pause");
  if (!pause.empty()) warn(pause);
  if (member(state, "storage_low") == true) warn("no new work is taken: the disk is nearly full");
  return text;
}

/// Two lines of counts, warnings, and the meters of the whole.
std::string head(const Terminal& terminal, const Json& state) {
  const Json& resources = member(state, "resources");
  const std::string jobs = counts_text(terminal, counts_of(member(state, "jobs")));
  const std::size_t width = std::clamp((terminal.width - 44) / 2, bar_width_min, bar_width_max);
  return shorten_painted(paint(terminal, "1", "jobs") + "   " + (jobs.empty() ? "none" : jobs),
                         terminal.width) +
         '\n' + paint(terminal, "1", "nodes") + "  " + nodes_text(member(state, "nodes")) + '\n' +
         warnings(terminal, state) +
         shorten_painted(meter(terminal, "cpus ", use_of(resources, "cpus"), human_number, width) +
                             "    " +
                             meter(terminal, "mem", use_of(resources, "mem"), human_mib, width),
                         terminal.width) +
         '\n';
}

bool is_away(const Json& node) { return member(node, "connected") != true; }

std::string nodes_table(const Terminal& terminal, const std::vector<const Json*>& nodes,
                        std::size_t hidden) {
  std::vector<std::string> cpus;
  std::vector<std::string> mem;
  std::size_t fixed = 0;
  for (const Json* node : nodes) {
    cpus.push_back(amounts(use_of(*node, "cpus"), human_number));
    mem.push_back(amounts(use_of(*node, "mem"), human_mib));
    fixed = std::max(
        fixed, cpus.back().size() + mem.back().size() + display_width(shown(*node, "hostname")));
  }
  // Five gaps and the column of tasks.
  const std::size_t room = terminal.width > fixed + 16 ? (terminal.width - fixed - 16) / 2 : 0;
  const std::size_t width = std::clamp(room, bar_width_min, bar_width_max);
  Table table({{"NODE", false, true}, {"CPUS"}, {"", true}, {"MEM"}, {"", true}, {"TASKS", true}});
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    const Json& node = *nodes[i];
    const std::string name = shown(node, "hostname");
    table.add({is_away(node) ? paint(terminal, "31", name + " (away)") : name,
               used_bar(terminal, use_of(node, "cpus").share(), width), cpus[i],
               used_bar(terminal, use_of(node, "mem").share(), width), mem[i],
               shown(node, "tasks")});
  }
  std::string text = table.render(terminal, true);
  if (hidden > 0) text += paint(terminal, "2", "and " + std::to_string(hidden) + " more") + '\n';
  return text;
}

/// Those that hold most first.
std::vector<const Json*> by_use(const Json& jobs) {
  std::vector<const Json*> all;
  if (jobs.is_array()) {
    for (const Json& job : jobs) all.push_back(&job);
  }
  const auto key = [](const Json* job) {
    const Json& request = member(*job, "request");
    return std::tuple(-number_of(request, "cpus").value_or(0),
                      -number_of(request, "mem").value_or(0), id_of(*job, "id"));
  };
  std::sort(all.begin(), all.end(), [&](const Json* a, const Json* b) { return key(a) < key(b); });
  return all;
}

std::string jobs_table(const Terminal& terminal, const std::vector<const Json*>& jobs, double now) {
  Table table({{"JOB", true},
               {"NAME", false, true},
               {"CPUS", true},
               {"MEM", true},
               {"TIME", true},
               {"NODE", false, true},
               {"COMMAND", false, true}});
  for (const Json* job : jobs) {
    const Json& request = member(*job, "request");
    const auto started = time_of(*job, "started");
    table.add({shown(*job, "id"), shown(*job, "name"),
               human_number(number_of(request, "cpus").value_or(0)),
               human_mib(number_of(request, "mem").value_or(0)),
               started ? human_span(now - *started) : "-", shown(member(*job, "node"), "hostname"),
               command_line(*job)});
  }
  return table.empty() ? paint(terminal, "2", "no job runs") + '\n' : table.render(terminal, true);
}

}  // namespace

std::string used_bar(const Terminal& terminal, double share, std::size_t width) {
  static const char* const eighths[] = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
  const std::size_t parts = terminal.utf8 ? 8 : 1;
  const auto whole = static_cast<double>(width * parts);
  auto filled = static_cast<std::size_t>(std::lround(std::clamp(share, 0.0, 1.0) * whole));
  if (share > 0) filled = std::max<std::size_t>(filled, 1);
  std::string bar = repeated(terminal.utf8 ? "█" : "#", filled / parts);
  if (parts > 1) bar += eighths[filled % parts];
  const std::size_t used = (filled + parts - 1) / parts;
  const char* colour = share >= 0.9 ? "31" : share >= 0.7 ? "33" : "32";
  return paint(terminal, colour, bar) +
         paint(terminal, "90", repeated(terminal.utf8 ? "░" : ".", width - std::min(used, width)));
}

std::string draw_top(const Terminal& given, std::size_t rows, const ClusterPicture& picture,
                     double now) {
  Terminal terminal = given;
  if (terminal.width == 0) terminal.width = width_default;
  std::vector<const Json*> nodes;
  for (const Json& node : member(picture.nodes, "nodes")) {
    if (text_of(node, "status") != "gone") nodes.push_back(&node);
  }
  std::vector<const Json*> jobs = by_use(member(picture.jobs, "jobs"));
  constexpr std::size_t around = 7;  // head, blank lines, titles
  std::size_t hidden = 0;
  if (rows != 0) {
    const std::size_t room = rows > around + 2 ? rows - around : 2;
    const std::size_t for_nodes = std::max(room / 2, room - std::min(room, jobs.size()));
    if (nodes.size() > for_nodes) {
      hidden = nodes.size() - (for_nodes - 1);
      nodes.resize(for_nodes - 1);
    }
    const std::size_t left = room - std::min(room, nodes.size() + (hidden > 0 ? 1 : 0));
    jobs.resize(std::min(jobs.size(), left));
  }
  return head(terminal, picture.state) + '\n' +
         (nodes.empty() ? paint(terminal, "2", "no nodes") + '\n'
                        : nodes_table(terminal, nodes, hidden)) +
         '\n' + jobs_table(terminal, jobs, now);
}

}  // namespace batch::cli
