// Whatever bytes are sent as a schedule, a job of Chronos or a small body: read, or refused with a
// text and paths that are pointers; what is written of a job in a schedule can be read again.
#include "batch/edge/schedule_json.hpp"

#include <cstdlib>

#include "batch/edge/chronos_json.hpp"
#include "batch/edge/job_json.hpp"
#include "batch/src/edge/job_reader.hpp"

/// What only answers need of the core: no reader calls it.
const batch::Job* batch::BatchCore::find(JobId) const { std::abort(); }
std::vector<librm::WallTime> batch::BatchCore::upcoming(const Schedule&, std::size_t) const {
  std::abort();
}

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

template <class Parsed>
bool is_read(const batch::InputResult<Parsed>& parsed) {
  if (parsed) return true;
  require(!parsed.error().error.message.empty());
  for (const batch::FieldError& field : parsed.error().fields) {
    require(!field.detail.empty() && (field.path.empty() || field.path[0] == '/'));
  }
  require(parsed.error().fields.size() <= batch::field_errors_max + 2);
  return false;
}

void check_jobs(const batch::ScheduleSpec& spec) {
  require(!spec.name.empty() && !spec.jobs.empty());
  const std::string written = batch::job_specs_to_json(spec.jobs);
  const auto again = batch::job_specs_from_json(written, batch::JobText::json);
  require(again && batch::job_specs_to_json(*again) == written);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  if (data[0] == 'r') {
    is_read(batch::text_field_from_json(text, "reason"));
  } else if (data[0] == 'c') {
    const auto spec = batch::chronos_job_from_json(text);
    if (is_read(spec)) require(!spec->name.empty() && spec->jobs.size() == 1);
  } else {
    const auto spec = batch::schedule_spec_from_json(text, data[0] == 'n' ? "nightly" : "");
    if (is_read(spec)) check_jobs(*spec);
  }
  return 0;
}
