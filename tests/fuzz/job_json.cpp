// Whatever bytes are submitted: read or refused, and what is read can be written and read again.
//
// The sources are included, because they are small and no other fuzzer needs them.
#include "batch/src/edge/job_json.cpp"
#include "batch/src/core/array_text.cpp"
#include "batch/src/core/job.cpp"
#include "batch/src/edge/job_reader.cpp"
#include "batch/src/edge/json_text.cpp"
#include "batch/src/edge/units.cpp"

#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  if (data[0] == 's') {
    (void)batch::parse_span(text);
    (void)batch::parse_size(text);
    (void)batch::parse_task_id(text);
    return 0;
  }
  const auto kind = data[0] == 'n' ? batch::JobText::ndjson : batch::JobText::json;
  const auto specs = batch::job_specs_from_json(text, kind);
  if (!specs) {
    if (specs.error().error.message.empty()) std::abort();
    return 0;
  }
  const std::string written = batch::job_specs_to_json(*specs);
  const auto again = batch::job_specs_from_json(written, batch::JobText::json);
  if (!again || batch::job_specs_to_json(*again) != written) std::abort();
  return 0;
}
