// The bytes of every released version of every batch record are what they were.
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <map>
#include <set>
#include <string>

#include "batch/edge/record_codec.hpp"

// golden/batch.hex has a line `NUMBER VERSION` and lines of hexadecimal digits for each record.
// RM_REWRITE_GOLDEN=1 rewrites what the present versions encode to: review the difference.

namespace batch::test {
namespace {

using Key = std::pair<std::uint16_t, std::uint16_t>;

const char* const golden_path = RM_SOURCE_DIR "/tests/unit/batch/golden/batch.hex";

Attempt example_attempt() {
  Attempt attempt;
  attempt.run = 1;
  attempt.attempt = 2;
  attempt.agent = {3};
  attempt.incarnation = {4};
  attempt.hostname = "host-3";
  attempt.resources = librm::Resources::parse("cpus:2;ports:[31000-31001]").value();
  attempt.latest.framework = {1};
  attempt.latest.task = "42.1.2";
  attempt.latest.agent = {3};
  attempt.latest.state = librm::TaskState::failed;
  attempt.latest.reason = librm::TaskReason::command_failed;
  attempt.latest.sequence = 2;
  attempt.latest.exit_code = 3;
  attempt.latest.started = librm::WallTime{1'767'225'600'000'000'000};
  attempt.launched = {1'767'225'599'000'000'000};
  attempt.counts = false;
  return attempt;
}

Job example_job() {
  Job job;
  job.id = 42;
  job.spec.name = "count";
  job.spec.description = "counts";
  job.spec.owner = "anna";
  job.spec.command.value = "wc -l";
  job.spec.command.environment = {{"LANG", "C"}};
  job.spec.request.amounts = {{"cpus", librm::Amount{1500}}};
  job.spec.priority = -1;
  job.spec.retries = 2;
  job.spec.retry_delay = librm::seconds(5);
  job.spec.time_limit = librm::seconds(60);
  job.spec.dependencies = {{"extract", EdgeKind::any}};
  job.spec.on_dependency_failed = OnDependencyFailed::hold;
  job.spec.lost = LostPolicy::fence;
  job.spec.fence_after = librm::seconds(30);
  job.spec.constraints.emplace("rack", "r1");
  job.spec.labels = {{"k", "v"}};
  job.spec.hold = true;
  job.edges = {{41, 1, EdgeKind::any, EdgeState::satisfied}};
  job.state = JobState::running;
  job.reason = "because";
  job.cancel_requested = true;
  job.failures = 1;
  job.submitted = {1'767'225'590'000'000'000};
  job.attempts = {example_attempt()};
  return job;
}

Job example_array() {
  Job job = example_job();
  job.id = 43;
  job.spec.array = ArraySpec{librm::Ranges({{0, 7}}), 3};
  job.elements.emplace();
  job.elements->groups = {
      {librm::Ranges({{0, 5}}), JobState::pending, "", std::nullopt},
      {librm::Ranges({{7, 7}}), JobState::cancelled, "why", librm::WallTime{5}}};
  job.elements->started = librm::WallTime{3};
  job.elements->ended = librm::WallTime{5};
  Execution& launched = job.elements->launched[6];
  launched.state = JobState::running;
  launched.attempts = std::exchange(job.attempts, {});
  return job;
}

/// As a record has it.
Job example_array_without_launched() {
  Job job = example_array();
  job.elements->launched.clear();
  return job;
}

Schedule example_schedule() {
  Schedule schedule;
  ScheduleSpec& spec = schedule.spec;
  spec.name = "nightly";
  spec.description = "what was counted";
  spec.expression = parse_schedule("R5/2026-01-31T02:00:00+01:00/P1M2DT3H").value();
  spec.zone = "Europe/Prague";
  spec.parents = {{"load", EdgeKind::any}};
  spec.epsilon = librm::seconds(30);
  spec.catch_up = CatchUp::last;
  spec.catch_up_max = 7;
  spec.overlap = Overlap::replace;
  spec.paused = true;
  spec.soft_error = true;
  spec.jobs = {example_job().spec};
  schedule.added = librm::WallTime{1};
  schedule.due_first = 2;
  schedule.next = Occurrence{3, librm::WallTime{4}};
  schedule.run_last = 5;
  schedule.edges = {{"load", EdgeKind::any, 6}};
  ScheduleRun run;
  run.number = 5;
  run.cause = RunCause::parents;
  run.occurrence = 1;
  run.nominal = librm::WallTime{7};
  run.started = librm::WallTime{8};
  run.ended = librm::WallTime{9};
  run.state = JobState::failed;
  run.reason = "no room";
  run.jobs = {42};
  run.parents = {{"load", 6}};
  schedule.runs = {run};
  schedule.missed = {{0, 1, librm::WallTime{1}, librm::WallTime{2}, "late"}};
  schedule.counts = {1, 2, 3, librm::WallTime{4}, librm::WallTime{5}};
  return schedule;
}

std::vector<BatchRecord> examples() {
  JobChangeRecord change;
  change.job = 42;
  change.state = JobState::failed;
  change.reason = "exit code 3";
  change.failures = 3;
  change.started = librm::WallTime{1};
  change.ended = librm::WallTime{2};
  change.not_before = librm::WallTime{3};
  change.exit_code = 3;
  change.signal = 9;
  change.attempt = example_attempt();
  change.index = 7;
  return {FrameworkIdRecord{{7}},
          JobsRecord{{example_job(), example_array_without_launched()}, "key"},
          LaunchRecord{{{42, example_attempt()}, {43, example_attempt(), 7}}},
          change,
          EdgeRecord{42, {41, 1, EdgeKind::ok, EdgeState::unsatisfiable}},
          JobRemovedRecord{41},
          SubmissionKeyRecord{"key", {41, 42}},
          JobIdRecord{99},
          ScheduleRecord{example_schedule()},
          ScheduleRunRecord{"nightly",
                            example_schedule().runs[0],
                            {example_job()},
                            3,
                            Occurrence{3, librm::WallTime{9}},
                            example_schedule().edges,
                            example_schedule().counts},
          ScheduleChangeRecord{"nightly", true, 3, Occurrence{3, librm::WallTime{9}},
                               example_schedule().edges, example_schedule().counts,
                               example_schedule().runs[0], example_schedule().missed[0]},
          ScheduleRemovedRecord{"nightly"},
          ElementActionRecord{43, JobAction::hold, librm::Ranges({{3, 5}}), "not yet", {8}},
          ElementsRecord{43, {{6, example_array().elements->launched.at(6)}}},
          ElementsFreedRecord{43, librm::Ranges({{2, 4}})}};
}

std::string to_hex(const std::string& bytes) {
  static const char* const digits = "0123456789abcdef";
  std::string text;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const auto byte = static_cast<unsigned char>(bytes[i]);
    text += digits[byte >> 4];
    text += digits[byte & 15];
    if (i % 48 == 47 || i + 1 == bytes.size()) text += '\n';
  }
  return text;
}

std::map<Key, std::string> read_golden() {
  std::map<Key, std::string> all;
  std::ifstream file(golden_path);
  std::string* current = nullptr;
  for (std::string line; std::getline(file, line);) {
    if (line.empty() || line[0] == '#') continue;
    if (const auto space = line.find(' '); space != std::string::npos) {
      const Key key{static_cast<std::uint16_t>(std::stoi(line.substr(0, space))),
                    static_cast<std::uint16_t>(std::stoi(line.substr(space + 1)))};
      current = &all[key];
    } else if (current != nullptr) {
      *current += line + '\n';
    }
  }
  return all;
}

std::string from_hex(const std::string& text) {
  std::string bytes;
  std::string digits;
  for (char c : text) {
    if (c != '\n') digits += c;
  }
  for (std::size_t i = 0; i + 1 < digits.size(); i += 2) {
    bytes += static_cast<char>(std::stoi(digits.substr(i, 2), nullptr, 16));
  }
  return bytes;
}

TEST(BatchRecords, BytesAreWhatTheyWere) {
  std::map<Key, std::string> golden = read_golden();
  std::set<std::size_t> alternatives;
  for (const BatchRecord& example : examples()) {
    alternatives.insert(example.index());
    const librm::RecordEntry entry = encode_batch_record(example);
    EXPECT_EQ(entry.stream, librm::batch_stream);
    const Key key{entry.number, entry.version};
    if (std::getenv("RM_REWRITE_GOLDEN") != nullptr) golden[key] = to_hex(entry.payload);
    EXPECT_EQ(golden[key], to_hex(entry.payload)) << entry.number;
    EXPECT_EQ(decode_batch_record(entry), librm::Result<BatchRecord>(example)) << entry.number;
  }
  EXPECT_EQ(alternatives.size(), std::variant_size_v<BatchRecord>);
  if (std::getenv("RM_REWRITE_GOLDEN") != nullptr) {
    std::ofstream file(golden_path);
    file << "# number, version; then the bytes. Lines of released versions never change.\n";
    for (const auto& [key, bytes] : golden) {
      file << '\n' << key.first << ' ' << key.second << '\n' << bytes;
    }
  }
  for (const auto& [key, bytes] : golden) {
    librm::RecordEntry entry{librm::batch_stream, key.first, key.second, from_hex(bytes)};
    EXPECT_TRUE(decode_batch_record(entry).has_value()) << key.first << ' ' << key.second;
  }
}

TEST(BatchRecords, OfALaterVersionAreUnderstoodAsWhatThisOneKnows) {
  for (const BatchRecord& example : examples()) {
    EXPECT_EQ(decode_batch_record(encode_batch_record(example, librm::Dialect::next)),
              librm::Result<BatchRecord>(example));
  }
}

TEST(BatchRecords, EveryTruncationIsRefused) {
  for (const BatchRecord& example : examples()) {
    const librm::RecordEntry entry = encode_batch_record(example);
    for (std::size_t size = 0; size < entry.payload.size(); ++size) {
      librm::RecordEntry cut = entry;
      cut.payload.resize(size);
      const auto record = decode_batch_record(cut);
      // Without a field that version 1 did not have, it is what version 1 wrote.
      const librm::RecordEntry first = encode_batch_record(example, librm::Dialect::first);
      if (first.payload == cut.payload && entry.version > 1) continue;
      ASSERT_FALSE(record.has_value()) << entry.number << " cut to " << size;
      EXPECT_EQ(record.error().code, librm::ErrorCode::corrupt);
    }
  }
  librm::RecordEntry unknown{librm::batch_stream, 999, 1, ""};
  EXPECT_EQ(decode_batch_record(unknown).error().code, librm::ErrorCode::unsupported);
}

}  // namespace
}  // namespace batch::test
