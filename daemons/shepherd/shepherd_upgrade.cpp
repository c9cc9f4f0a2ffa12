// The shepherd leaves its process to another program, and finds what another left to it.
#include <unistd.h>

#include <utility>

#include "shepherd/process_setup.hpp"
#include "shepherd/shepherd.hpp"

namespace librm::shepherd {

ResumeState Shepherd::resume_state() const {
  ResumeState state;
  state.lock = lock_.get();
  state.open_files = task_open_files_.rlim_cur;
  state.open_files_max = task_open_files_.rlim_max;
  state.program = identity_of(upgrade_to_);
  for (const auto& [key, watch] : watches_) {
    if (!watch.report && !watch.signalled && !watch.fenced) continue;
    state.tasks.push_back({key, watch.report.get(), watch.signalled, watch.fenced});
  }
  for (const QueuedStart& queued : queue_) state.queue.push_back({queued.start, queued.signal});
  for (const auto& [key, at] : fences_) state.fences.push_back({key, at});
  return state;
}

void Shepherd::resume(ResumeState state) {
  program_ = state.program;
  for (ResumedTask& task : state.tasks) {
    Descriptor report(task.report);
    if (report) keep_open(report.get(), false);
    const auto found = watches_.find(task.key);
    if (found == watches_.end()) continue;
    found->second.report = std::move(report);
    found->second.signalled = task.signalled;
    found->second.fenced = task.fenced;
  }
  for (ResumedStart& queued : state.queue) {
    queue_.push_back({std::move(queued.start), queued.signal});
  }
  for (TaskFence& fence : state.fences) fences_[std::move(fence.key)] = fence.at;
  log_line("goes on as " + own_path());
}

void Shepherd::upgrade() {
  // Who reads the ledger next must find every start in it; a full disk is waited for.
  if (ledger_.has_unwritten()) return;
  if (const Result<void> refused = become(upgrade_to_); !refused) {
    log_line("upgrade: " + refused.error().message + "; goes on as it is");
  }
  upgrade_to_.clear();
}

Result<void> Shepherd::become(const std::string& program) {
  Result<Descriptor> state = write_resume_state(resume_state());
  if (!state) return tl::unexpected<Error>(state.error());
  if (auto able = try_program(program, state->get()); !able) return able;
  std::vector<std::string> words{program};
  words.insert(words.end(), options_.arguments.begin(), options_.arguments.end());
  words.push_back("--resume=" + std::to_string(state->get()));
  std::vector<char*> pointers;
  for (std::string& word : words) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  const auto keep = [&](bool kept) {
    keep_open(state->get(), kept);
    keep_open(lock_.get(), kept);
    for (const auto& [key, watch] : watches_) {
      if (watch.report) keep_open(watch.report.get(), kept);
    }
  };
  keep(true);
  ::execv(program.c_str(), pointers.data());
  const int reason = errno;
  keep(false);
  return fail_errno(program, reason);
}

}  // namespace librm::shepherd
