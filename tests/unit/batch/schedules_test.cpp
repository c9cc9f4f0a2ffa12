// Schedules on a bench: what is started when, what is missed and why, who starts whom.
#include <gtest/gtest.h>

#include "harness.hpp"

namespace batch::test {
namespace {

using librm::seconds;
using librm::TaskState;

/// Of the bench's clock: 2023-11-14T22:13:20Z.
constexpr const char* now_text = "2023-11-14T22:13:20Z";

ScheduleSpec schedule(std::string name, const std::string& expression) {
  ScheduleSpec spec;
  spec.name = std::move(name);
  spec.expression = parse_schedule(expression).value();
  JobSpec job;
  job.command.value = "true";
  spec.jobs = {job};
  return spec;
}

ScheduleSpec child(std::string name, std::vector<ParentSpec> parents) {
  ScheduleSpec spec = schedule(std::move(name), "R1//PT1S");
  spec.expression.reset();
  spec.parents = std::move(parents);
  return spec;
}

class Scheduled : public ::testing::Test {
 protected:
  Scheduled() { bench.connect(); }

  std::string add(ScheduleSpec spec, bool replace = false) {
    const std::size_t before = bench.records.size();
    bench.actions.clear();
    bench.step(AddSchedule{1, std::move(spec), replace, false});
    const auto answer = bench.outputs<ScheduleAnswer>().back();
    if (!answer.run) {
      EXPECT_EQ(bench.records.size(), before) << "a refused schedule stores nothing";
    }
    bench.flush();
    check();
    return answer.run ? "ok" : answer.run.error().message;
  }
  std::string control(const std::string& name, ScheduleAction action,
                      OnRemove children = OnRemove::refuse) {
    bench.actions.clear();
    bench.step(ControlSchedule{2, action, name, "", children});
    const auto answer = bench.outputs<ScheduleAnswer>().back();
    bench.flush();
    check();
    return answer.run ? "run " + std::to_string(*answer.run) : answer.run.error().message;
  }
  /// Ends the latest job of a run.
  void end(const std::string& name, std::uint32_t run, bool well = true) {
    const JobId id = run_of(name, run).jobs.front();
    const Job* job = bench.core->find(id);
    const std::string task =
        std::to_string(id) + ".1." +
        std::to_string(job->attempts.empty() ? 1 : job->attempts.back().attempt);
    if (job->attempts.empty()) bench.offer(1, "cpus:64;mem:65536");
    if (well) {
      bench.finished(task);
    } else {
      bench.failed(task, 1);
    }
    check();
  }
  const Schedule& of(const std::string& name) { return bench.core->schedules().at(name); }
  const ScheduleRun& run_of(const std::string& name, std::uint32_t number) {
    for (const ScheduleRun& run : of(name).runs) {
      if (run.number == number) return run;
    }
    ADD_FAILURE() << name << " has no run " << number;
    return of(name).runs.front();
  }
  void pass(librm::Duration time) {
    bench.pass(time);
    check();
  }
  void check() { EXPECT_EQ(bench.core->check_invariants(), std::vector<std::string>{}); }

  Bench bench;
};

TEST_F(Scheduled, EachOccurrenceStartsOneRun) {
  ASSERT_EQ(add(schedule("tick", std::string("R3/") + now_text + "/PT10S")), "ok");
  EXPECT_EQ(of("tick").run_last, 1u);
  end("tick", 1);
  EXPECT_EQ(*bench.core->next_deadline().wall, bench.clock.wall + seconds(10));
  pass(seconds(9));
  EXPECT_EQ(of("tick").run_last, 1u);
  pass(seconds(1));
  EXPECT_EQ(of("tick").run_last, 2u);
  EXPECT_EQ(run_of("tick", 2).occurrence, 1u);
  end("tick", 2);
  pass(seconds(10));
  end("tick", 3);
  pass(seconds(100));
  EXPECT_EQ(of("tick").run_last, 3u);
  EXPECT_FALSE(of("tick").next);
  EXPECT_EQ(of("tick").counts.successes, 3u);
  EXPECT_TRUE(of("tick").missed.empty());
}

TEST_F(Scheduled, ForbiddenOverlapWaitsUntilEpsilonThenIsMissedWithItsReason) {
  ScheduleSpec spec = schedule("slow", std::string("R/") + now_text + "/PT10S");
  spec.epsilon = seconds(5);
  ASSERT_EQ(add(spec), "ok");
  pass(seconds(10));
  EXPECT_EQ(of("slow").run_last, 1u);
  pass(seconds(4));
  EXPECT_TRUE(of("slow").missed.empty());
  pass(seconds(2));
  ASSERT_EQ(of("slow").missed.size(), 1u);
  EXPECT_EQ(of("slow").missed[0].first, 1u);
  EXPECT_NE(of("slow").missed[0].reason.find("run 1 went on"), std::string::npos)
      << of("slow").missed[0].reason;
  pass(seconds(5));
  EXPECT_EQ(of("slow").run_last, 1u);
  end("slow", 1);
  EXPECT_EQ(run_of("slow", 2).occurrence, 2u) << "it was late by less than epsilon";
}

TEST_F(Scheduled, AllowedOverlapStartsBeside) {
  ScheduleSpec spec = schedule("beside", std::string("R3/") + now_text + "/PT10S");
  spec.overlap = Overlap::allow;
  ASSERT_EQ(add(spec), "ok");
  pass(seconds(10));
  pass(seconds(10));
  EXPECT_EQ(of("beside").run_last, 3u);
  end("beside", 3);
  end("beside", 1);
  EXPECT_EQ(of("beside").counts.successes, 2u);
}

TEST_F(Scheduled, ReplacedRunEndsBeforeTheNextStarts) {
  ScheduleSpec spec = schedule("fresh", std::string("R3/") + now_text + "/PT10S");
  spec.overlap = Overlap::replace;
  ASSERT_EQ(add(spec), "ok");
  bench.offer(1, "cpus:64;mem:65536");
  bench.running("1.1.1");
  pass(seconds(10));
  EXPECT_EQ(of("fresh").run_last, 1u);
  EXPECT_TRUE(bench.core->find(JobId{1})->cancel_requested);
  bench.update("1.1.1", TaskState::killed);
  EXPECT_EQ(run_of("fresh", 1).state, JobState::cancelled);
  EXPECT_EQ(of("fresh").run_last, 2u);
}

TEST_F(Scheduled, CatchUpIsByPolicy) {
  const std::string old = "R/2023-11-14T21:13:20Z/PT10M";  // due 7 times, the last one now
  ScheduleSpec spec = schedule("skip", old);
  ASSERT_EQ(add(spec), "ok");
  EXPECT_EQ(run_of("skip", 1).occurrence, 6u);
  EXPECT_EQ(of("skip").missed.at(0).last, 5u);
  pass(seconds(120));
  spec.name = "newest";
  spec.catch_up = CatchUp::last;
  ASSERT_EQ(add(spec), "ok");
  EXPECT_EQ(run_of("newest", 1).occurrence, 6u) << "the newest, though it is late";
  EXPECT_EQ(of("newest").missed.at(0).last, 5u);
  spec.name = "each";
  spec.catch_up = CatchUp::all;
  spec.catch_up_max = 3;
  ASSERT_EQ(add(spec), "ok");
  EXPECT_EQ(of("each").missed.at(0).last, 3u);
  for (std::uint32_t run = 1; run <= 3; ++run) {
    EXPECT_EQ(run_of("each", run).occurrence, run + 3u);
    end("each", run);
  }
  EXPECT_EQ(of("each").run_last, 3u);
}

TEST_F(Scheduled, ALongAbsenceCostsNoMoreThanAShortOne) {
  ScheduleSpec spec = schedule("ancient", "R/1980-01-01T00:00:00Z/PT1S");
  spec.catch_up = CatchUp::last;
  ASSERT_EQ(add(spec), "ok");
  EXPECT_EQ(of("ancient").run_last, 1u);
  EXPECT_GT(of("ancient").missed.at(0).last, 1'000'000'000u);
}

TEST_F(Scheduled, PausedOccurrencesAreMissedAndSaySo) {
  ASSERT_EQ(add(schedule("rest", std::string("R/") + now_text + "/PT10S")), "ok");
  end("rest", 1);
  EXPECT_EQ(control("rest", ScheduleAction::pause), "run 0");
  pass(seconds(25));
  EXPECT_EQ(of("rest").run_last, 1u);
  EXPECT_EQ(control("rest", ScheduleAction::resume), "run 0");
  ASSERT_EQ(of("rest").missed.size(), 1u);
  EXPECT_EQ(of("rest").missed[0].first, 1u);
  EXPECT_EQ(of("rest").missed[0].last, 2u);
  EXPECT_EQ(of("rest").missed[0].reason, "the schedule was paused");
  pass(seconds(5));
  EXPECT_EQ(run_of("rest", 2).occurrence, 3u);
}

TEST_F(Scheduled, AClockSetBackRunsNothingTwice) {
  ASSERT_EQ(add(schedule("once", std::string("R/") + now_text + "/PT10S")), "ok");
  end("once", 1);
  pass(seconds(10));
  end("once", 2);
  bench.clock.wall = bench.clock.wall - seconds(15);
  pass(seconds(1));
  EXPECT_EQ(of("once").run_last, 2u);
  pass(seconds(24));
  EXPECT_EQ(run_of("once", 3).occurrence, 2u);
}

TEST_F(Scheduled, ChildrenAreBoundToRunsOfAllTheirParents) {
  ASSERT_EQ(add(schedule("fast", std::string("R9/") + now_text + "/PT10S")), "ok");
  ASSERT_EQ(add(schedule("slow", "R9/2023-11-14T22:13:40Z/PT1H")), "ok");
  ASSERT_EQ(add(child("both", {{"fast", EdgeKind::ok}, {"slow", EdgeKind::any}})), "ok");
  ASSERT_EQ(add(child("alarm", {{"slow", EdgeKind::not_ok}})), "ok");
  end("fast", 1);
  pass(seconds(10));
  end("fast", 2);
  EXPECT_EQ(of("both").run_last, 0u);
  pass(seconds(10));
  end("slow", 1, false);
  ASSERT_EQ(of("both").run_last, 1u);
  const std::vector<ParentRun> wanted{{"fast", 2}, {"slow", 1}};
  EXPECT_EQ(run_of("both", 1).parents, wanted) << "the newest of each";
  EXPECT_EQ(of("alarm").run_last, 1u);
  end("fast", 3);
  end("both", 1);
  EXPECT_EQ(of("both").run_last, 1u) << "the slow one has not run again";
}

TEST_F(Scheduled, SoftErrorsLetChildrenStartAndCountAsErrors) {
  ScheduleSpec spec = schedule("soft", std::string("R1/") + now_text + "/PT10S");
  spec.soft_error = true;
  ASSERT_EQ(add(spec), "ok");
  ASSERT_EQ(add(child("next", {{"soft", EdgeKind::ok}})), "ok");
  end("soft", 1, false);
  EXPECT_EQ(of("next").run_last, 1u);
  EXPECT_EQ(of("soft").counts.errors, 1u);
}

TEST_F(Scheduled, RemovedParentsLeaveWhatTheyWereToTheirChildren) {
  ASSERT_EQ(add(schedule("a", std::string("R/") + now_text + "/PT10S")), "ok");
  ASSERT_EQ(add(child("b", {{"a", EdgeKind::ok}})), "ok");
  ASSERT_EQ(add(child("c", {{"b", EdgeKind::any}})), "ok");
  EXPECT_EQ(control("a", ScheduleAction::remove),
            "schedule 'a': others wait for it: b; remove them first, or say what becomes of them");
  EXPECT_EQ(control("b", ScheduleAction::remove, OnRemove::inherit), "run 0");
  ASSERT_EQ(of("c").spec.parents.size(), 1u);
  EXPECT_EQ(of("c").spec.parents[0].schedule, "a");
  EXPECT_EQ(control("a", ScheduleAction::remove, OnRemove::inherit), "run 0");
  EXPECT_TRUE(of("c").spec.parents.empty());
  ASSERT_TRUE(of("c").next);
  pass(seconds(10));
  EXPECT_EQ(of("c").run_last, 1u);
  EXPECT_EQ(control("c", ScheduleAction::remove), "run 0");
  EXPECT_TRUE(bench.core->schedules().empty());
}

TEST_F(Scheduled, ARunOfSeveralJobsEndsWithTheLastOfThem) {
  ScheduleSpec spec = schedule("etl", std::string("R1/") + now_text + "/PT10S");
  spec.jobs = {job("load").after("extract"), job("extract")};
  ASSERT_EQ(add(spec), "ok");
  EXPECT_EQ(bench.core->find(JobId{1})->spec.name, "etl.1.load");
  bench.offer(1, "cpus:64;mem:65536");
  EXPECT_EQ(bench.launched(), std::vector<std::string>{"2.1.1"});
  bench.finished("2.1.1");
  EXPECT_EQ(run_of("etl", 1).state, JobState::running);
  bench.offer(1, "cpus:64;mem:65536");
  bench.finished("1.1.1");
  EXPECT_EQ(run_of("etl", 1).state, JobState::finished);
  EXPECT_EQ(control("etl", ScheduleAction::trigger), "run 2");
  EXPECT_EQ(bench.core->find(JobId{3})->spec.name, "etl.2.load");
}

TEST_F(Scheduled, ABranchThatWasNotNeededLeavesTheRunAsItIs) {
  ScheduleSpec etl = schedule("etl", "R2//PT1H");
  etl.jobs = {job("load"), job("alarm").after("load", EdgeKind::not_ok)};
  ASSERT_EQ(add(etl), "ok");
  end("etl", 1);
  EXPECT_EQ(bench.state(2), "cancelled: DependencyNeverSatisfied: job 1 (etl.1.load) finished");
  EXPECT_EQ(run_of("etl", 1).state, JobState::finished);
  bench.pass(seconds(3600));
  bench.offer(1, "cpus:64;mem:65536");
  bench.cancel(run_of("etl", 2).jobs.front(), "not today");
  bench.update("3.1.1", TaskState::killed, {}, librm::TaskReason::killed_by_framework);
  EXPECT_EQ(run_of("etl", 2).state, JobState::running) << "its alarm goes off";
  bench.cancel(4);
  EXPECT_EQ(run_of("etl", 2).state, JobState::cancelled);
}

TEST_F(Scheduled, ImagesFailAtOnceWithTheirReason) {
  ScheduleSpec spec = schedule("boxed", std::string("R1/") + now_text + "/PT10S");
  spec.jobs[0].image = "python:3.4.3";
  ASSERT_EQ(add(spec), "ok");
  EXPECT_EQ(run_of("boxed", 1).state, JobState::failed);
  EXPECT_EQ(bench.core->find(JobId{1})->reason,
            "container: image python:3.4.3: images are not supported yet");
}

TEST_F(Scheduled, WhatCannotBeHonouredIsRefused) {
  const auto refused = [&](ScheduleSpec spec) { return add(std::move(spec)); };
  EXPECT_EQ(refused(schedule("past", "R2/2015-01-01T00:00:00Z/P1D")),
            "schedule 'past': schedule: all of its occurrences are past; it would never run unless "
            "catch_up is 'last' or 'all'");
  ScheduleSpec zone = schedule("zone", "R/2030-01-01/P1D");
  zone.zone = "PST";
  EXPECT_NE(refused(zone).find("schedule_timezone: no zone 'PST' is known"), std::string::npos);
  EXPECT_NE(refused(child("orphan", {{"nobody", EdgeKind::ok}})).find("no schedule 'nobody'"),
            std::string::npos);
  EXPECT_NE(refused(child("self", {{"self", EdgeKind::ok}})).find("wait for itself"),
            std::string::npos);
  EXPECT_NE(refused(schedule("", "R/2030-01-01/P1D")).find("name: is missing"), std::string::npos);
  ScheduleSpec wrong = schedule("wrong", "R/2030-01-01/P1D");
  wrong.jobs[0].command.value = " ";
  EXPECT_NE(refused(wrong).find("command: is empty"), std::string::npos);
  ASSERT_EQ(add(schedule("twice", "R/2030-01-01/P1D")), "ok");
  EXPECT_EQ(add(schedule("twice", "R/2030-01-01/P1D")),
            "schedule 'twice': there is one of that name already");
  EXPECT_EQ(add(schedule("twice", "R/2031-01-01/P1D"), true), "ok");
}

TEST_F(Scheduled, EveryPrefixOfTheJournalGoesOnToTheSameEnd) {
  ASSERT_EQ(add(schedule("tick", std::string("R4/") + now_text + "/PT10S")), "ok");
  ASSERT_EQ(add(child("after", {{"tick", EdgeKind::ok}})), "ok");
  end("tick", 1);
  end("after", 1);
  pass(seconds(10));
  end("tick", 2);
  const std::vector<BatchRecord> all = bench.records;
  const librm::Now clock = bench.clock;
  for (std::size_t count = 0; count <= all.size(); ++count) {
    Bench other;
    other.records = all;
    other.clock = clock;
    other.restart(count);
    other.connect();
    EXPECT_EQ(other.core->check_invariants(), std::vector<std::string>{}) << count;
    std::set<std::uint64_t> seen;
    if (other.core->schedules().count("tick") == 0) continue;
    for (const ScheduleRun& run : other.core->schedules().at("tick").runs) {
      EXPECT_TRUE(seen.insert(*run.occurrence).second) << "twice, after record " << count;
    }
  }
}

TEST(ControlledJob, HoldAndReleaseRequeueAndRetry) {
  Bench bench;
  bench.connect();
  const auto say = [&](JobId id, JobAction action) {
    bench.step(ControlJob{9, action, id, ""});
    const auto answer = bench.outputs<ControlAnswer>().back();
    bench.flush();
    EXPECT_EQ(bench.core->check_invariants(), std::vector<std::string>{});
    return answer.result ? "ok" : answer.result.error().message;
  };
  ASSERT_TRUE(bench.submit({job("a"), job("b").after("a")}));
  EXPECT_EQ(say(1, JobAction::hold), "ok");
  bench.offer(1, "cpus:4;mem:4096");
  EXPECT_TRUE(bench.launched().empty());
  EXPECT_EQ(say(1, JobAction::requeue), "job 1 (a): only what runs can be requeued, it is held");
  EXPECT_EQ(say(1, JobAction::release), "ok");
  bench.offer(1, "cpus:4;mem:4096");
  EXPECT_EQ(bench.launched(), std::vector<std::string>{"1.1.1"});
  bench.running("1.1.1");
  EXPECT_EQ(say(1, JobAction::requeue), "ok");
  bench.update("1.1.1", TaskState::failed, 143);
  EXPECT_EQ(bench.core->find(JobId{1})->state, JobState::pending);
  EXPECT_EQ(bench.core->find(JobId{1})->failures, 0u);
  bench.offer(1, "cpus:4;mem:4096");
  EXPECT_EQ(bench.launched(), std::vector<std::string>{"1.2.1"});
  bench.failed("1.2.1");
  EXPECT_EQ(bench.core->find(JobId{2})->state, JobState::cancelled);
  EXPECT_NE(say(2, JobAction::retry).find("retry that first"), std::string::npos);
  EXPECT_EQ(say(1, JobAction::retry), "ok");
  EXPECT_EQ(say(2, JobAction::retry), "ok");
  bench.offer(1, "cpus:4;mem:4096");
  EXPECT_EQ(bench.launched(), std::vector<std::string>{"1.3.1"});
  bench.finished("1.3.1");
  bench.offer(1, "cpus:4;mem:4096");
  EXPECT_EQ(bench.launched(), std::vector<std::string>{"2.2.1"});
}

}  // namespace
}  // namespace batch::test
