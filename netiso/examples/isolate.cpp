// isolate NAME BITS_PER_SECOND COMMAND...: runs a command in a network of its own.
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <iostream>

#include "netiso/isolator.hpp"

using namespace netiso;

int fail(const librm::Error& error) {
  std::cerr << "isolate: " << error.message << std::endl;
  return 1;
}

int main(int count, char** words) {
  if (count < 4) return fail({librm::ErrorCode::invalid_argument, "NAME BITS_PER_SECOND COMMAND"});
  DesiredIsolator desired;
  desired.space = words[1];
  desired.host_link = "iso0";
  desired.host_address = parse_ipv4("10.77.0.1/30").value();
  desired.task_address = parse_ipv4("10.77.0.2/30").value();
  desired.egress_bits_per_second = std::strtoull(words[2], nullptr, 10);

  const auto kernel = probe_kernel();
  if (!kernel) return fail(kernel.error());
  const auto observed = observe_isolator(desired);
  if (!observed) return fail(observed.error());
  const auto plan = plan_isolator(desired, *observed, *kernel);
  if (!plan) return fail(plan.error());
  for (const auto& operation : plan->operations) std::cout << to_string(operation) << "\n";
  for (const auto& note : plan->notes) std::cout << "note: " << note << "\n";
  std::cout.flush();
  if (auto applied = apply(plan->operations); !applied) return fail(applied.error());

  const pid_t child = ::fork();
  if (child == 0) {
    if (auto entered = enter_namespace(desired.space); !entered) ::_exit(fail(entered.error()));
    ::execvp(words[3], words + 3);
    ::_exit(127);
  }
  int status = 0;
  ::waitpid(child, &status, 0);

  if (const auto links = observe_links(desired.space)) {
    for (const LinkStatistics& link : *links) {
      std::cout << link.name << ": sent " << link.tx_bytes << " bytes, received " << link.rx_bytes
                << "\n";
    }
  }
  if (const auto egress = observe_egress(desired.space, desired.task_link); egress && *egress) {
    std::cout << to_string((*egress)->limit) << ": held back " << (*egress)->held_back
              << " times, dropped " << (*egress)->dropped_packets << " packets\n";
  }
  if (auto reverted = revert(plan->operations); !reverted) return fail(reverted.error());
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
