/* The allocator from C: offers, a lease accepted in part, why somebody waits, and a what-if. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "librm/c.h"

/* Every call says why it failed; here one that should not fail ends the program. */
static rm_error* error;

static void must(rm_code code) {
  if (code == RM_OK) return;
  printf("%s: %s\n", rm_code_name(code), rm_error_message(error));
  rm_error_free(error);
  exit(1);
}

static void print_why(const rm_allocator* allocator, const char* when, int64_t now) {
  char* why = NULL;
  must(rm_allocator_explain(allocator, 1, "eng", "cpus:6", now, &why, &error));
  printf("%s: %s\n", when, why);
  rm_text_free(why);
}

/* Starts one task of `request` on each offer that has room for it. */
static void use_offers(rm_allocator* allocator, const char* request, int64_t now) {
  const int64_t minute = INT64_C(60000000000);
  rm_offers* offers = NULL;
  must(rm_allocator_run(allocator, now, RM_NO_TIME, &offers, &error));
  for (size_t i = 0; i < rm_offers_count(offers); ++i) {
    const rm_offer* offer = rm_offers_at(offers, i);
    const uint64_t id = rm_offer_id(offer);
    char* chosen = NULL;
    rm_error* shortage = NULL;
    printf("o-%" PRIu64 ": %s of a-%" PRIu64 " to f-%" PRIu64 "\n", id, rm_offer_resources(offer),
           rm_offer_agent(offer), rm_offer_framework(offer));
    if (rm_select(request, rm_offer_resources(offer), rm_offer_role(offer), &chosen, &shortage)) {
      const char* reason = rm_error_message(shortage);
      must(rm_allocator_decline(allocator, id, now, minute, reason, &error));
    } else {
      printf("  uses %s\n", chosen);
      must(rm_allocator_accept(allocator, &id, 1, chosen, RM_NO_TIME, now, minute, &error));
    }
    rm_error_free(shortage);
    rm_text_free(chosen);
  }
  rm_offers_free(offers);
}

int main(void) {
  rm_allocator* allocator = NULL;
  rm_allocator* copy = NULL;
  const int64_t now = 0; /* the host's clock */

  must(rm_allocator_new(NULL, &allocator, &error));
  must(rm_allocator_add_framework(allocator, 1, "eng", 0, &error));
  must(rm_allocator_add_agent(allocator, 1, "host-1", "cpus:8;ports:[31000-31009]", "", &error));
  must(rm_allocator_add_agent(allocator, 2, "host-2", "cpus:2", "rack:r7", &error));
  use_offers(allocator, "cpus:4;ports:2", now);
  print_why(allocator, "why 6 CPUs wait", now);

  /* What if the task ended? Tried on a copy, so the original never notices. */
  must(rm_allocator_clone(allocator, &copy, &error));
  must(rm_allocator_release(copy, 1, 1, "eng", "cpus:4;ports:[31000-31001]", RM_NO_TIME, &error));
  print_why(copy, "if it ended", now);
  rm_allocator_free(copy);
  print_why(allocator, "as it is", now);

  /* What is wrong is told, with the amounts. */
  if (rm_allocator_release(allocator, 1, 1, "eng", "cpus:5", RM_NO_TIME, &error) != RM_OK) {
    printf("%s: %s\n", rm_code_name(rm_error_code(error)), rm_error_message(error));
    rm_error_free(error);
  }
  rm_allocator_free(allocator);
  return 0;
}
