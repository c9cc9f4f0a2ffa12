// Reads scenarios, strictly.
#include "scenario_file.hpp"

#include <algorithm>
#include <charconv>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace rm_sim {

using namespace librm;

namespace {

struct Word {
  std::string_view text;
  std::size_t column = 0;  ///< from 1
};

std::vector<Word> split(std::string_view line) {
  std::vector<Word> words;
  line = line.substr(0, line.find('#'));
  for (std::size_t at = 0; at < line.size();) {
    if (line[at] == ' ') {
      ++at;
      continue;
    }
    const std::size_t end = std::min(line.find(' ', at), line.size());
    words.push_back({line.substr(at, end - at), at + 1});
    at = end;
  }
  return words;
}

/// The statements of one text, into a scenario; the first error ends it.
class Reader {
 public:
  explicit Reader(Scenario& scenario) : scenario_(scenario) {}

  Result<void> read(std::string_view text) {
    for (number_ = 1; !text.empty(); ++number_) {
      const std::size_t end = std::min(text.find('\n'), text.size());
      line_ = text.substr(0, end);
      words_ = split(line_);
      at_ = 0;
      if (!words_.empty()) statement();
      if (error_) return librm::fail(ErrorCode::invalid_argument, *error_);
      text.remove_prefix(std::min(end + 1, text.size()));
    }
    return {};
  }

 private:
  // --- words ---

  void wrong(const std::string& what) {
    if (error_) return;
    const std::size_t column = at_ < words_.size() ? words_[at_].column : line_.size() + 1;
    error_ = "line " + std::to_string(number_) + ", column " + std::to_string(column) + ": " + what;
  }
  void expected(const std::string& what) {
    const std::string found =
        at_ < words_.size() ? "'" + std::string(words_[at_].text) + "'" : "the end of the line";
    wrong("expected " + what + ", found " + found);
  }
  bool take(std::string_view word) {
    if (at_ == words_.size() || words_[at_].text != word) return false;
    ++at_;
    return true;
  }
  void expect(std::string_view word) {
    if (!take(word)) expected("'" + std::string(word) + "'");
  }
  std::optional<std::uint64_t> whole(std::string_view text) const {
    std::uint64_t value = 0;
    const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (code != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return value;
  }
  std::uint32_t number(std::uint64_t least, std::uint64_t most) {
    const auto value = at_ < words_.size() ? whole(words_[at_].text) : std::nullopt;
    if (!value || *value < least || *value > most) {
      expected("a number from " + std::to_string(least) + " to " + std::to_string(most));
      return 0;
    }
    ++at_;
    return static_cast<std::uint32_t>(*value);
  }
  /// `20s`, `500ms`, `2m`; `-60s` where it may be negative.
  Duration span(bool may_be_negative = false) {
    std::string_view text = at_ < words_.size() ? words_[at_].text : std::string_view();
    const bool negative = may_be_negative && text.substr(0, 1) == "-";
    if (negative) text.remove_prefix(1);
    const std::size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
    const auto value = whole(text.substr(0, digits));
    const std::string_view unit = text.substr(digits);
    const Duration one = unit == "ms"  ? milliseconds(1)
                         : unit == "s" ? seconds(1)
                         : unit == "m" ? seconds(60)
                                       : Duration{};
    if (!value || *value == 0 || *value > 1'000'000 || one == Duration{}) {
      expected("a time such as 20s, 500ms or 2m");
      return {};
    }
    ++at_;
    return one * static_cast<std::int64_t>(*value) * (negative ? -1 : 1);
  }

  // --- statements ---

  void statement() {
    if (!agents_known_) {
      agents_known_ = true;
      expect("agents");
      if (!error_) scenario_.agents.resize(number(1, scenario_.agents.size()));
    } else if (take("candidates")) {
      scenario_.candidates = number(1, scenario_.agents.size());
    } else if (take("jobs")) {
      scenario_.jobs = number(0, 10'000);
    } else if (take("frameworks")) {
      scenario_.frameworks = number(0, 20);
      scenario_.framework_tasks = 10;
    } else if (take("targets")) {
      if (scenario_.candidates == 0) return wrong("targets need 'candidates' in a line before");
      scenario_.targeted_schedules = number(1, 1000);
      has_target_ = true;
    } else if (take("for")) {
      scenario_.trouble = span();
    } else if (take("rare")) {
      expect("branches");
      has_other_ = true;
      scenario_.rare_branches = true;
    } else if (take("mixed")) {
      expect("versions");
      has_other_ = true;
      scenario_.mixed_versions = true;
    } else if (take("heal")) {
      expect("group");
      expect("first");
      has_other_ = true;
      scenario_.heal_group_first = true;
    } else if (take("network")) {
      network();
    } else if (!fault_rate()) {
      deed();
    }
    if (!error_ && at_ < words_.size()) expected("the end of the line");
    if (!has_target_ || !has_other_) return;
    at_ = 0;
    wrong("targets are judged among partitions, kills, stalls, restarts and skews only");
  }

  /// `network loss 20000 duplicate 50000`: in parts of a million.
  void network() {
    has_other_ = true;
    sim::NetworkOptions& net = scenario_.faults.network;
    do {
      std::uint32_t* rate = take("loss")        ? &net.loss_ppm
                            : take("duplicate") ? &net.duplicate_ppm
                            : take("reorder")   ? &net.reorder_ppm
                            : take("corrupt")   ? &net.corrupt_ppm
                            : take("reset")     ? &net.reset_ppm
                                                : nullptr;
      if (rate == nullptr) return expected("loss, duplicate, reorder, corrupt or reset");
      *rate = number(1, 1'000'000);
    } while (!error_ && at_ < words_.size());
  }

  /// `crashes every 10s`: what befalls anything.
  bool fault_rate() {
    const std::pair<const char*, Duration*> rates[] = {
        {"crashes", &scenario_.faults.process_crash},
        {"power-cuts", &scenario_.faults.host_crash},
        {"stalls", &scenario_.faults.stall},
        {"partitions", &scenario_.faults.partition},
        {"clogs", &scenario_.faults.clog},
        {"swizzles", &scenario_.faults.swizzle},
        {"clock-steps", &scenario_.faults.wall_step},
        {"failovers", &scenario_.failover},
        {"agents-given-up", &scenario_.agent_gone},
        {"disk-failures", &scenario_.disk_failure},
        {"full-disks", &scenario_.full_disk},
        {"maintenance", &scenario_.maintenance},
        {"role-changes", &scenario_.roles},
    };
    for (const auto& [name, rate] : rates) {
      if (!take(name)) continue;
      expect("every");
      *rate = span();
      has_other_ = true;
      return true;
    }
    return false;
  }

  /// `[at 60s] [every 30s] VERB ... [for 20s]`.
  void deed() {
    Deed deed;
    if (take("at")) deed.at = span();
    if (take("every")) deed.every = span();
    if (take("partition")) {
      deed.kind = Deed::Kind::partition;
      groups(deed);
    } else if (take("kill")) {
      deed.kind = Deed::Kind::kill;
      process(deed);
    } else if (take("stall")) {
      deed.kind = Deed::Kind::stall;
      process(deed);
      need_time_ = true;
    } else if (take("restart")) {
      deed.kind = Deed::Kind::restart;
      agent(deed);
    } else if (take("power-off")) {
      deed.kind = Deed::Kind::power_off;
      has_other_ = true;
      agent(deed);
    } else if (take("skew")) {
      deed.kind = Deed::Kind::skew;
      expect("host");
      if (at_ + 1 < words_.size() && whole(words_[at_].text)) deed.number = number(1, hosts());
      deed.by = span(true);
    } else if (take("depose")) {
      deed.kind = Deed::Kind::depose;
      expect("leader");
    } else {
      return expected("a statement");
    }
    if (std::exchange(need_time_, false) && !error_ && at_ == words_.size()) expect("for");
    if (take("for")) deed.time = span();
    scenario_.deeds.push_back(std::move(deed));
  }

  std::size_t hosts() const { return scenario_.agents.size() + (scenario_.candidates > 0 ? 0 : 2); }

  void process(Deed& deed) {
    if (take("leader")) {
      deed.target = Deed::Target::leader;
    } else {
      agent(deed);
    }
  }

  void agent(Deed& deed) {
    if (!take("agent")) return expected("'leader' or 'agent'");
    deed.target = Deed::Target::agent;
    if (at_ < words_.size() && whole(words_[at_].text)) {
      deed.number = number(1, scenario_.agents.size());
    }
  }

  /// `2|3`: of all hosts, those with masters of their own included.
  void groups(Deed& deed) {
    std::string_view text = at_ < words_.size() ? words_[at_].text : std::string_view();
    std::uint64_t sum = 0;
    while (true) {
      const std::size_t end = std::min(text.find('|'), text.size());
      const auto size = whole(text.substr(0, end));
      if (!size || *size == 0 || *size > hosts()) return expected("groups such as 2|3");
      deed.groups.push_back(static_cast<std::uint32_t>(*size));
      sum += *size;
      if (end == text.size()) break;
      text.remove_prefix(end + 1);
    }
    if (sum != hosts() || deed.groups.size() < 2) {
      return expected("groups of all " + std::to_string(hosts()) + " hosts");
    }
    ++at_;
  }

  Scenario& scenario_;
  std::size_t number_ = 0;
  std::string_view line_;
  std::vector<Word> words_;
  std::size_t at_ = 0;
  bool agents_known_ = false;
  bool need_time_ = false;
  bool has_target_ = false;
  bool has_other_ = false;  ///< something that targets do not go with
  std::optional<std::string> error_;
};

}  // namespace

Result<Scenario> parse_scenario(std::string_view text, std::uint64_t seed) {
  Scenario scenario = draw_calm(seed);
  if (Result<void> read = Reader(scenario).read(text); !read) {
    return tl::unexpected<Error>(std::move(read.error()));
  }
  return scenario;
}

}  // namespace rm_sim
