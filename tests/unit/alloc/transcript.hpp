// An allocator driven by lines of text, for tests that read as documentation.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "librm/alloc/allocator.hpp"

namespace librm::test {

/// One line at a time is a command; `run_line` returns what it showed, a line each:
///
///     agent a-1 cpus:4;mem:16 rack:r1        held=f-9,work,cpus:1,60 after it: held, for 60 s
///     framework f-1 eng/backend,ops          also revocable, min=cpus:1
///     run                                    offers made, and `-o-3` for those taken back
///     accept o-1 cpus:2@60 refuse=5          what is used, each with the seconds it lasts
///     together o-1 cpus:2@60 + o-2 cpus:2    a gang
///     decline o-1 5 "not now"
///     after 30                               time passes; offers that expire are shown
///
/// and many more: see the table in transcript.cpp. Ids are as the library prints them. Errors are
/// shown as `error: ...`, and so is every violated invariant.
class Transcript {
 public:
  Transcript();
  std::vector<std::string> run_line(const std::string& line);

  /// The text of a transcript as it should be: its commands, each followed by what it shows,
  /// indented; comments and empty lines as they are.
  static std::string play(std::string_view text);

 private:
  using Words = std::vector<std::string>;
  using Command = void (Transcript::*)(const Words&);
  static const std::map<std::string, Command, std::less<>>& commands();

  void options(const Words&);
  void agent(const Words&);
  void framework(const Words&);
  void update(const Words&);
  void weight(const Words&);
  void quota(const Words&);
  void run(const Words&);
  void accept(const Words&);
  void together(const Words&);
  void decline(const Words&);
  void rescind(const Words&);
  void after(const Words&);
  void suppress(const Words&);
  void revive(const Words&);
  void hold(const Words&);
  void release(const Words&);
  void remove(const Words&);
  void deactivate(const Words&);
  void activate(const Words&);
  void window(const Words&);
  void operate(const Words&);
  void demand(const Words&);
  void explain(const Words&);
  void why(const Words&);
  void role(const Words&);
  void roles(const Words&);
  void agents(const Words&);
  void earmarks(const Words&);
  void preemptions(const Words&);
  void clone(const Words&);

  void show(std::string line) { shown_.push_back(std::move(line)); }
  void show_ended(const std::vector<OfferId>& offers);
  std::string text_of(const Offer& offer) const;
  std::vector<Use> uses(const Words& words, std::size_t from, std::size_t to);
  std::string time(Instant at) const;

  AllocatorOptions options_;
  std::unique_ptr<Allocator> allocator_;
  Instant now_{0};
  std::map<FrameworkId, std::vector<Demand>> demands_;
  std::vector<std::string> shown_;
};

}  // namespace librm::test
