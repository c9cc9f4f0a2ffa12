// rm-shepherd: starts and reaps the tasks of one agent, and outlives it.
#include <cstdio>
#include <string>
#include <vector>

#include "shepherd/options.hpp"
#include "shepherd/process_setup.hpp"
#include "shepherd/shepherd.hpp"
#include "shepherd/upgrade.hpp"

int main(int argc, char** argv) {
  using namespace librm;
  using namespace librm::shepherd;
  const Result<Options> options = parse_options(std::vector<std::string>(argv + 1, argv + argc));
  if (!options) {
    std::fprintf(stderr, "rm-shepherd: %s\n", options.error().message.c_str());
    return 2;
  }
  if (options->help || options->version) {
    std::fputs(options->help ? usage : "rm-shepherd 0.1.0\n", stdout);
    return 0;
  }
  if (options->check_resume >= 0) {
    const Result<ResumeState> state = read_resume_state(options->check_resume);
    if (!state) log_line(state.error().message);
    return state ? 0 : 1;
  }
  if (auto ok = set_up_process(*options); !ok) {
    log_line(ok.error().message);
    return 1;
  }
  Result<Shepherd> shepherd = Shepherd::start(*options);
  if (!shepherd) {
    log_line(shepherd.error().message);
    return 1;
  }
  if (auto ended = shepherd->run(); !ended) {
    log_line(ended.error().message);
    return 1;
  }
  return 0;
}
