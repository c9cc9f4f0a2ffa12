// The table of `rmctl schedule`: what is done with schedules.
#include "verb.hpp"

namespace batch::cli {

const std::vector<Verb>& schedule_verbs() {
  static const std::vector<Verb> all{
      {"schedule expand", "[OPTIONS] EXPRESSION", "prints when an expression is due; asks nobody",
       "EXPRESSION is an ISO 8601 repeating interval: R5/2026-01-31T02:00:00Z/P1M is due five "
       "times, at the end of each month. Without a number after R it has no end, without a start "
       "it begins now. The instants are printed in UTC, one a line; those that coincide, once.",
       define_schedule_expand},
      {"schedule add", "[OPTIONS] NAME [EXPRESSION] {JOBFILE | -- COMMAND...}",
       "runs a job, or the jobs of a file, again and again",
       "By time, if there is an EXPRESSION (see 'rmctl schedule expand'), else after runs of other "
       "schedules, which --after-ok, --after-any and --after-notok name. Each run's jobs are named "
       "NAME.RUN, or NAME.RUN.JOB where there are several.",
       define_schedule_add},
      {"schedule list", "[OPTIONS]", "lists schedules, and when each is due next", "",
       define_schedule_list},
      {"schedule show", "NAME", "shows a schedule, its runs, and what it missed and why", "",
       define_schedule_show},
      {"schedule next", "[OPTIONS] NAME", "prints when it is due next", "", define_schedule_next},
      {"schedule pause", "NAME...", "starts nothing until it is resumed", "",
       define_schedule_pause},
      {"schedule resume", "NAME...", "goes on; what fell due meanwhile is missed", "",
       define_schedule_resume},
      {"schedule trigger", "NAME [-- ARGUMENTS...]", "starts a run now; prints its jobs", "",
       define_schedule_trigger},
      {"schedule remove", "[OPTIONS] NAME...", "removes schedules; runs under way go on", "",
       define_schedule_remove},
  };
  return all;
}

}  // namespace batch::cli
