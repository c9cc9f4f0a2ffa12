// How a shepherd goes on as another program in the same process, so that its tasks stay its
// children.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "librm/base/result.hpp"
#include "librm/cluster/shepherd.hpp"
#include "shepherd/descriptor.hpp"

namespace librm::shepherd {

/// Which file a path names, however it is named. Zeros: none.
struct FileIdentity {
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  bool operator==(const FileIdentity&) const = default;
};
FileIdentity identity_of(const std::string& path);

/// What a running task has beside the ledger; only of those that have any.
struct ResumedTask {
  TaskKey key;
  std::int32_t report = -1;  ///< the descriptor that rm-fetch reports on
  bool signalled = false;
  bool fenced = false;
};

struct ResumedStart {
  TaskStart start;
  std::int32_t signal = 0;
};

/// What one program leaves to the next in a file in memory. All else is in the ledger, or the
/// kernel knows it: which processes are children.
struct ResumeState {
  std::int32_t lock = -1;  ///< the descriptor that holds shepherd.lock
  std::uint64_t open_files = 0;
  std::uint64_t open_files_max = 0;  ///< the tasks' limits, which the shepherd itself has raised
  FileIdentity program;              ///< as which it was told to go on
  std::vector<ResumedTask> tasks;
  std::vector<ResumedStart> queue;
  std::vector<TaskFence> fences;
};

/// Raised where an older program could not go on from what a newer one writes, or the reverse: the
/// upgrade is refused then.
inline constexpr std::uint16_t resume_format = 1;

/// A file in memory that closes when a program is executed, see keep_open().
Result<Descriptor> write_resume_state(const ResumeState& state);
/// Fails with `unsupported` for another format, with `corrupt` for anything else.
Result<ResumeState> read_resume_state(int fd);

/// Whether it stays open in the next program.
void keep_open(int fd, bool kept);

/// Runs `program --check-resume FD`, which reads the state and says whether it could go on from it.
/// Fails with its answer, or where it gives none within 5 s; blocks for as long.
Result<void> try_program(const std::string& program, int state);

}  // namespace librm::shepherd
