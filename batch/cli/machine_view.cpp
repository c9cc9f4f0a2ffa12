// Lays out a machine: boxes beside each other as long as they fit, then below.
#include "machine_view.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include "text.hpp"

namespace batch::cli {

namespace {

constexpr std::size_t pus_max = 1024;
constexpr std::size_t width_default = 100;

/// Caches may be smaller than a MiB.
std::string size_text(std::uint64_t bytes) {
  const double kib = static_cast<double>(bytes) / 1024;
  return bytes < 1u << 20 ? human_number(kib) + "K" : human_mib(kib / 1024);
}

/// Lines of the same width; a colour takes no room.
struct Block {
  std::vector<std::string> lines;
  std::size_t width = 0;
};

/// A part of the machine with a frame, or a core, which has none.
struct Part {
  std::vector<std::string> titles;
  std::vector<std::size_t> pus;
  bool is_core = false;
  std::vector<Part> parts;

  bool contains(const Part& other) const {
    return std::includes(pus.begin(), pus.end(), other.pus.begin(), other.pus.end());
  }
};

/// Into the innermost part that contains it; what has the same threads shares one frame.
void insert(Part& outer, Part part) {
  for (Part& inner : outer.parts) {
    if (inner.is_core || !inner.contains(part)) continue;
    if (inner.pus != part.pus || part.is_core) return insert(inner, std::move(part));
    inner.titles.insert(inner.titles.end(), part.titles.begin(), part.titles.end());
    return;
  }
  outer.parts.push_back(std::move(part));
}

std::vector<std::size_t> cores_of(const hwtopo::Topology& topology,
                                  const std::vector<std::size_t>& pus) {
  std::vector<std::size_t> cores;
  for (const std::size_t pu : pus) {
    if (cores.empty() || cores.back() != topology.pus[pu].core) {
      cores.push_back(topology.pus[pu].core);
    }
  }
  return cores;
}

Part machine_of(const hwtopo::Topology& topology) {
  std::vector<Part> parts;
  for (std::size_t i = 0; i < topology.packages.size(); ++i) {
    Part part{{"Package " + std::to_string(i)}, {}, false, {}};
    for (const std::size_t core : topology.packages[i].cores) {
      const auto& pus = topology.cores[core].pus;
      part.pus.insert(part.pus.end(), pus.begin(), pus.end());
    }
    parts.push_back(std::move(part));
  }
  for (const hwtopo::NumaNode& node : topology.numa_nodes) {
    const std::string memory = node.memory_bytes == 0 ? "" : ' ' + size_text(node.memory_bytes);
    parts.push_back({{"NUMA " + std::to_string(node.os_index) + memory}, node.pus, false, {}});
  }
  for (auto cache = topology.caches.rbegin(); cache != topology.caches.rend(); ++cache) {
    if (cores_of(topology, cache->pus).size() < 2) continue;
    const std::string title = "L" + std::to_string(cache->level);
    parts.push_back({{title + ' ' + size_text(cache->size_bytes)}, cache->pus, false, {}});
  }
  std::erase_if(parts, [](const Part& part) { return part.pus.empty(); });
  for (const hwtopo::Core& core : topology.cores) parts.push_back({{}, core.pus, true, {}});
  std::stable_sort(parts.begin(), parts.end(), [](const Part& a, const Part& b) {
    return std::pair(a.is_core, b.pus.size()) < std::pair(b.is_core, a.pus.size());
  });
  Part machine;
  for (Part& part : parts) insert(machine, std::move(part));
  return machine;
}

/// In the order of the machine, whatever kind they are.
void sort_parts(Part& part) {
  std::sort(part.parts.begin(), part.parts.end(),
            [](const Part& a, const Part& b) { return a.pus < b.pus; });
  for (Part& inner : part.parts) sort_parts(inner);
}

class Drawing {
 public:
  Drawing(const Terminal& terminal, const hwtopo::Topology& topology,
          const std::vector<hwtopo::Cpuset>* taken)
      : terminal_(terminal), topology_(topology), knows_tasks_(taken != nullptr) {
    unsigned highest = 0;
    for (const hwtopo::Pu& pu : topology.pus) highest = std::max(highest, pu.os_index);
    digits_ = std::to_string(highest).size();
    for (std::size_t task = 0; knows_tasks_ && task < taken->size(); ++task) {
      for (const std::uint32_t cpu : (*taken)[task].cpus()) holders_[cpu].push_back(task);
    }
  }

  /// Rows of parts, each row as wide as fits.
  Block flow(const Part& part, std::size_t width) const {
    Block all;
    Block row;
    for (const Part& inner : part.parts) {
      Block block = inner.is_core ? core(inner) : frame(inner, width);
      const std::size_t gap = row.lines.empty() ? 0 : 1;
      if (!row.lines.empty() && row.width + gap + block.width > width) {
        append_below(all, std::exchange(row, {}));
      }
      append_beside(row, std::move(block));
    }
    append_below(all, std::move(row));
    return all;
  }

 private:
  Block core(const Part& part) const {
    Block block{{"["}, 1};
    for (const std::size_t pu : part.pus) {
      const unsigned number = topology_.pus[pu].os_index;
      if (block.width > 1) {
        block.lines[0] += ' ';
        ++block.width;
      }
      block.lines[0] += thread(number);
      block.width += digits_ + (knows_tasks_ ? 1 : 0);
    }
    block.lines[0] += ']';
    ++block.width;
    return block;
  }

  std::string thread(unsigned number) const {
    std::string text = std::to_string(number);
    text.insert(0, digits_ - text.size(), ' ');
    if (!knows_tasks_) return text;
    const auto holders = holders_.find(number);
    if (holders == holders_.end()) {
      return paint(terminal_, "2", text + (terminal_.utf8 ? "·" : "."));
    }
    if (holders->second.size() > 1) return paint(terminal_, "1;31", text + '*');
    // Neighbours differ in colour as well as in letter.
    constexpr const char* colors[] = {"1;36", "1;33", "1;35", "1;32", "1;34"};
    const std::size_t task = holders->second.front();
    return paint(terminal_, colors[task % std::size(colors)], text + task_letter(task));
  }

  Block frame(const Part& part, std::size_t width) const {
    const Block inside = flow(part, width > 4 ? width - 4 : 1);
    const bool fine = terminal_.utf8;
    std::string title;
    for (const std::string& one : part.titles)
      title += (title.empty() ? "" : fine ? " · " : ", ") + one;
    title = shorten(title, std::max<std::size_t>(width, 12) - 6);
    const std::size_t title_width = display_width(title);
    const std::size_t inner = std::max(inside.width, title_width + 2);
    const std::string side = paint(terminal_, "2", fine ? "│" : "|");
    Block block;
    block.width = inner + 4;
    block.lines.push_back(
        paint(terminal_, "2", fine ? "╭─ " : "+- ") + paint(terminal_, "1", title) +
        paint(terminal_, "2", ' ' + line(inner - title_width - 1, fine) + (fine ? "╮" : "+")));
    for (const std::string& text : inside.lines) {
      block.lines.push_back(side + ' ' + text + std::string(inner - inside.width, ' ') + ' ' +
                            side);
    }
    block.lines.push_back(
        paint(terminal_, "2", (fine ? "╰" : "+") + line(inner + 2, fine) + (fine ? "╯" : "+")));
    return block;
  }

  static std::string line(std::size_t length, bool fine) {
    std::string text;
    for (std::size_t i = 0; i < length; ++i) text += fine ? "─" : "-";
    return text;
  }

  static void append_beside(Block& row, Block block) {
    const std::size_t gap = row.lines.empty() ? 0 : 1;
    const std::size_t height = std::max(row.lines.size(), block.lines.size());
    row.lines.resize(height, std::string(row.width, ' '));
    block.lines.resize(height, std::string(block.width, ' '));
    for (std::size_t i = 0; i < height; ++i) row.lines[i] += std::string(gap, ' ') + block.lines[i];
    row.width += gap + block.width;
  }

  static void append_below(Block& all, Block row) {
    const std::size_t width = std::max(all.width, row.width);
    for (std::string& text : all.lines) text.append(width - all.width, ' ');
    for (std::string& text : row.lines) {
      all.lines.push_back(std::move(text) + std::string(width - row.width, ' '));
    }
    all.width = width;
  }

  const Terminal& terminal_;
  const hwtopo::Topology& topology_;
  bool knows_tasks_;
  std::size_t digits_ = 1;
  std::map<std::uint32_t, std::vector<std::size_t>> holders_;
};

/// What each core has for itself, largest first: `each core: L2 2M, L1 48K`.
std::string caches_of_cores(const hwtopo::Topology& topology) {
  std::string text;
  for (auto cache = topology.caches.rbegin(); cache != topology.caches.rend(); ++cache) {
    if (cores_of(topology, cache->pus).size() != 1) continue;
    std::string one = "L" + std::to_string(cache->level) + ' ' + size_text(cache->size_bytes);
    if (text.find(one) != text.npos) continue;
    text += (text.empty() ? "each core: " : ", ") + one;
  }
  return text;
}

}  // namespace

char task_letter(std::size_t index) {
  if (index < 26) return static_cast<char>('A' + index);
  return index < 52 ? static_cast<char>('a' + (index - 26)) : '#';
}

std::string draw_machine(const Terminal& terminal, const hwtopo::Topology& topology,
                         const std::vector<hwtopo::Cpuset>* taken) {
  if (topology.pus.size() > pus_max) return {};
  Part machine = machine_of(topology);
  sort_parts(machine);
  const std::size_t width = terminal.width == 0 ? width_default : terminal.width;
  std::string text;
  for (std::string& line : Drawing(terminal, topology, taken).flow(machine, width).lines) {
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + '\n';
  }
  std::string below = caches_of_cores(topology);
  if (taken != nullptr) {
    below += below.empty() ? "" : "; ";
    below += std::string(terminal.utf8 ? "·" : ".") + " free, * shared, letters: the tasks below";
  }
  return below.empty() ? text : text + paint(terminal, "2", below) + '\n';
}

}  // namespace batch::cli
