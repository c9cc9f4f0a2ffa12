// The encoding of jobs and of the records about them, with their numbers.
#include "batch/edge/record_codec.hpp"

#include "batch/job.hpp"
#include "librm/wire/archive.hpp"
#include "librm/wire/codec.hpp"
#include "librm/wire/fields.hpp"
#include "librm/wire/fields_cluster.hpp"

// The order of fields is the encoding: new ones go last, as optional_tail in a serialize() by
// hand. What is nested is in an envelope of its own, so that it can grow without its parents.

namespace librm {

template <>
struct WireEnum<batch::EdgeKind>
    : WireEnumRange<batch::EdgeKind::ok, batch::EdgeKind::corresponding> {};
template <>
struct WireEnum<batch::EdgeState>
    : WireEnumRange<batch::EdgeState::pending, batch::EdgeState::unsatisfiable> {};
template <>
struct WireEnum<batch::OnDependencyFailed>
    : WireEnumRange<batch::OnDependencyFailed::cancel, batch::OnDependencyFailed::run> {};
template <>
struct WireEnum<batch::LostPolicy>
    : WireEnumRange<batch::LostPolicy::wait, batch::LostPolicy::rerun> {};
template <>
struct WireEnum<batch::JobState>
    : WireEnumRange<batch::JobState::pending, batch::JobState::cancelled> {};

template <>
struct WireEnum<batch::JobAction>
    : WireEnumRange<batch::JobAction::cancel, batch::JobAction::retry> {};
template <>
struct WireEnum<batch::Dialect> : WireEnumRange<batch::Dialect::rm, batch::Dialect::chronos> {};
template <>
struct WireEnum<batch::CatchUp> : WireEnumRange<batch::CatchUp::skip, batch::CatchUp::all> {};
template <>
struct WireEnum<batch::Overlap> : WireEnumRange<batch::Overlap::forbid, batch::Overlap::replace> {};
template <>
struct WireEnum<batch::RunCause>
    : WireEnumRange<batch::RunCause::occurrence, batch::RunCause::trigger> {};

}  // namespace librm

namespace batch {

/// The fields of a nested struct, in an envelope of version 1.
#define BATCH_WIRE_NESTED(Type, ...)                       \
  struct Type##Fields {                                    \
    Type& value;                                           \
  };                                                       \
  template <class Archive>                                 \
  void serialize(Archive& archive, Type##Fields& fields) { \
    Type& value = fields.value;                            \
    LIBRM_WIRE_EXPAND(LIBRM_WIRE_EACH(__VA_ARGS__))        \
  }                                                        \
  template <class Archive>                                 \
  void serialize(Archive& archive, Type& value) {          \
    Type##Fields fields{value};                            \
    auto envelope = librm::enveloped(fields);              \
    archive(envelope);                                     \
  }

BATCH_WIRE_NESTED(DependencySpec, parent, kind)
BATCH_WIRE_NESTED(Edge, parent, parent_run, kind, state)
BATCH_WIRE_NESTED(PatternConstraint, attribute, pattern, negated)
BATCH_WIRE_NESTED(ArraySpec, indices, parallel_max)
BATCH_WIRE_NESTED(JobSpec, name, description, owner, role, command, request, priority, retries,
                  retry_delay, time_limit, kill_grace, dependencies, on_dependency_failed, lost,
                  fence_after, constraints, labels, hold, patterns, image, dialect, array)
BATCH_WIRE_NESTED(Attempt, run, attempt, agent, incarnation, hostname, resources, latest, launched,
                  counts)
BATCH_WIRE_NESTED(ScheduleRef, schedule, run, nominal)
BATCH_WIRE_NESTED(Execution, state, reason, cancel_requested, run, failures, started, ended,
                  not_before, exit_code, signal, attempts)
BATCH_WIRE_NESTED(ElementGroup, indices, state, reason, ended)
// What was launched follows in records of its own, and the counts from both.
BATCH_WIRE_NESTED(ArrayElements, groups, started, ended)
BATCH_WIRE_NESTED(Job, id, spec, edges, schedule, state, reason, cancel_requested, run, failures,
                  submitted, started, ended, not_before, exit_code, signal, attempts, elements)

using Launch = LaunchRecord::Launch;
BATCH_WIRE_NESTED(Launch, job, attempt, index)

LIBRM_WIRE(LocalTime, ns)
BATCH_WIRE_NESTED(Period, years, months, weeks, days, exact)
BATCH_WIRE_NESTED(ScheduleExpression, repetitions, start, offset, period)
BATCH_WIRE_NESTED(Occurrence, index, at)
BATCH_WIRE_NESTED(ParentSpec, schedule, kind)
BATCH_WIRE_NESTED(ScheduleSpec, name, description, expression, zone, parents, epsilon, catch_up,
                  catch_up_max, overlap, paused, soft_error, jobs)
BATCH_WIRE_NESTED(ParentRun, schedule, run)
BATCH_WIRE_NESTED(ScheduleRun, number, cause, occurrence, nominal, started, ended, state, reason,
                  jobs, parents)
BATCH_WIRE_NESTED(MissedOccurrences, first, last, first_at, last_at, reason)
BATCH_WIRE_NESTED(ScheduleEdge, parent, kind, run)
BATCH_WIRE_NESTED(ScheduleCounts, successes, errors, errors_since_success, last_success, last_error)
BATCH_WIRE_NESTED(Schedule, spec, added, due_first, next, run_last, edges, runs, missed, counts)

LIBRM_WIRE(FrameworkIdRecord, framework)
LIBRM_WIRE(JobsRecord, jobs, idempotency_key)
LIBRM_WIRE(LaunchRecord, launches)
LIBRM_WIRE(JobChangeRecord, job, state, reason, cancel_requested, run, failures, started, ended,
           not_before, exit_code, signal, attempt, index)
LIBRM_WIRE(EdgeRecord, child, edge)
LIBRM_WIRE(JobRemovedRecord, job)
LIBRM_WIRE(SubmissionKeyRecord, key, jobs)
template <class Archive>
void serialize(Archive& archive, JobIdRecord& value) {
  archive(value.last);
  archive.optional_tail(value.attempts_before);
}
LIBRM_WIRE(ScheduleRecord, schedule)
LIBRM_WIRE(ScheduleRunRecord, schedule, run, jobs, due_first, next, edges, counts)
LIBRM_WIRE(ScheduleChangeRecord, schedule, paused, due_first, next, edges, counts, run, missed)
LIBRM_WIRE(ScheduleRemovedRecord, schedule)
LIBRM_WIRE(ElementActionRecord, job, action, indices, reason, at)
LIBRM_WIRE(ElementsRecord, job, launched)
LIBRM_WIRE(ElementsFreedRecord, job, indices)

#undef BATCH_WIRE_NESTED

}  // namespace batch

// Append only. A number is never changed and never used again; a new trailing field raises the
// version.
namespace librm {

#define BATCH_RECORD_NUMBER(Type, ...)                        \
  template <>                                                 \
  struct WireNumber<batch::Type> : WireNumbers<__VA_ARGS__> { \
    static constexpr const char* name = #Type;                \
  }

BATCH_RECORD_NUMBER(FrameworkIdRecord, 1);
BATCH_RECORD_NUMBER(JobsRecord, 2);
BATCH_RECORD_NUMBER(LaunchRecord, 3);
BATCH_RECORD_NUMBER(JobChangeRecord, 4);
BATCH_RECORD_NUMBER(EdgeRecord, 5);
BATCH_RECORD_NUMBER(JobRemovedRecord, 6);
BATCH_RECORD_NUMBER(SubmissionKeyRecord, 7);
BATCH_RECORD_NUMBER(JobIdRecord, 8, 2);  // 2: attempts_before
BATCH_RECORD_NUMBER(ScheduleRecord, 9);
BATCH_RECORD_NUMBER(ScheduleRunRecord, 10);
BATCH_RECORD_NUMBER(ScheduleChangeRecord, 11);
BATCH_RECORD_NUMBER(ScheduleRemovedRecord, 12);
BATCH_RECORD_NUMBER(ElementActionRecord, 13);
BATCH_RECORD_NUMBER(ElementsRecord, 14);
BATCH_RECORD_NUMBER(ElementsFreedRecord, 15);

#undef BATCH_RECORD_NUMBER

}  // namespace librm

namespace batch {

librm::RecordEntry encode_batch_record(const BatchRecord& record, librm::Dialect dialect) {
  return librm::encode_record_entry(record, librm::batch_stream, dialect);
}

librm::Result<BatchRecord> decode_batch_record(const librm::RecordEntry& entry) {
  return librm::decode_record_entry<BatchRecord>(entry);
}

}  // namespace batch
