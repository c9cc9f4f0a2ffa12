/* librm in C: the allocator and the session of a framework, behind opaque handles. Plain C99. */
#ifndef LIBRM_C_H
#define LIBRM_C_H

#include <stddef.h>
#include <stdint.h>

/*
 * Rules that hold for every function:
 *
 * Results. What can fail returns an rm_code, RM_OK or why not, and takes an `rm_error** error` as
 * its last argument: NULL, or where to put an error with a message, which is yours to free (NULL is
 * put there on success). When a call failed, nothing was changed and no output was written. A null
 * handle, a null text and a text that cannot be read are RM_INVALID_ARGUMENT, never a crash;
 * accessors of a null handle give 0 or "". No exception leaves the library. A handle that was freed
 * must not be used again: that alone is not checked.
 *
 * Ownership. Who gets a handle from `..._new`, `..._clone` or by an `rm_x** out` frees it, once, by
 * `rm_x_free`; NULL is ignored. Handles do not depend on each other and may be freed in any order;
 * what is passed in is copied. A `char**` output is freed by rm_text_free. A `const char*` or a
 * `const rm_x*` that is returned belongs to the handle that it was asked of, and lives until that
 * is freed, or as long as is said there.
 *
 * Time. Instants are nanoseconds of a clock of yours that never steps (boot time), wall times
 * nanoseconds since 1970; 0..RM_TIME_MAX. Durations are nanoseconds, 0..RM_DURATION_MAX.
 * RM_NO_TIME means none, unknown or never, where that is allowed.
 *
 * Text. Zero-terminated. Resources, requests, attributes and constraints are written as in
 * librm/README.md: `cpus:4;mem:16`, `rack == r7`. Lists of names have `;` between.
 * Ids are numbers from 1; 0 is none.
 *
 * Threads. No globals, no threads, no clock, no I/O. One handle is used by one thread at a time;
 * different handles at once.
 *
 * ABI. Handles are opaque and no struct crosses, so nothing here has a size or a layout. A
 * function, a number and what they mean stay as they are; additions raise RM_ABI_VERSION.
 */
#define RM_ABI_VERSION 1

#define RM_NO_TIME INT64_MAX
#define RM_TIME_MAX INT64_C(4000000000000000000)
#define RM_DURATION_MAX INT64_C(1000000000000000000)

#ifdef __cplusplus
extern "C" {
#endif

/* Of the library that is linked; at least the header's. */
uint32_t rm_abi_version(void);

/* --- errors and texts --- */

typedef int32_t rm_code;
enum {
  RM_OK = 0,
  RM_INVALID_ARGUMENT = 1,    /* the request itself is wrong; repeating it will not help */
  RM_NOT_FOUND = 2,           /* the named object does not exist (any more) */
  RM_ALREADY_EXISTS = 3,      /* the name or id is taken */
  RM_RESOURCE_EXHAUSTED = 4,  /* it asks for more than there is; also: no memory */
  RM_FAILED_PRECONDITION = 5, /* right request, wrong state of its object */
  RM_PERMISSION_DENIED = 6,   /* the caller may not */
  RM_UNAVAILABLE = 7,         /* nobody to ask now; try again later */
  RM_DEADLINE_EXCEEDED = 8,   /* it took longer than the caller allowed */
  RM_CORRUPT = 9,             /* bytes that no correct peer produces */
  RM_UNSUPPORTED = 10,        /* a version or feature that this side does not have */
  RM_IO_ERROR = 11,           /* the operating system refused */
  RM_STALE = 12,              /* from an old session or offer; decide anew */
  RM_INTERNAL = 255           /* a defect of the library */
};
/* `not_found`; `unknown` for a number that is none of them. Static. */
const char* rm_code_name(rm_code code);

typedef struct rm_error rm_error;
rm_code rm_error_code(const rm_error* error);
/* Names the object, the limit and the amounts: `agent a-3: cpus: need 4, free 2.5`. */
const char* rm_error_message(const rm_error* error);
void rm_error_free(rm_error* error);

void rm_text_free(char* text);

/* Picks concrete resources for a request out of what is offered to a role: which ports, which
 * devices. RM_RESOURCE_EXHAUSTED with the shortage where it does not fit. */
rm_code rm_select(const char* request, const char* resources, const char* role, char** chosen,
                  rm_error** error);

/* --- lists --- */

typedef struct rm_ids rm_ids; /* of offers that ended */
size_t rm_ids_count(const rm_ids* ids);
uint64_t rm_ids_at(const rm_ids* ids, size_t index); /* 0 beyond the end */
void rm_ids_free(rm_ids* ids);

typedef struct rm_offers rm_offers;
typedef struct rm_offer rm_offer; /* lives as long as its list */
size_t rm_offers_count(const rm_offers* offers);
const rm_offer* rm_offers_at(const rm_offers* offers, size_t index); /* NULL beyond the end */
void rm_offers_free(rm_offers* offers);
uint64_t rm_offer_id(const rm_offer* offer);
uint64_t rm_offer_framework(const rm_offer* offer);
uint64_t rm_offer_agent(const rm_offer* offer);
uint64_t rm_offer_earmark(const rm_offer* offer); /* 0: it serves no demand's earmark */
const char* rm_offer_role(const rm_offer* offer);
const char* rm_offer_resources(const rm_offer* offer);
int64_t rm_offer_expires_ns(const rm_offer* offer);         /* instant */
int64_t rm_offer_lent_until_ns(const rm_offer* offer);      /* instant, or RM_NO_TIME */
int64_t rm_offer_available_until_ns(const rm_offer* offer); /* wall time, or RM_NO_TIME */

/* --- demands: what a framework waits for, also of several nodes at once --- */

typedef struct rm_demand rm_demand;
/* One node of that shape in that role. The id is unique within the framework. */
rm_code rm_demand_new(uint64_t id, const char* role, const char* shape, rm_demand** out,
                      rm_error** error);
void rm_demand_free(rm_demand* demand);
/* A gang: at least `min` nodes together, `max` where they are free at its start; 1..1000000. */
rm_code rm_demand_set_nodes(rm_demand* demand, uint32_t min, uint32_t max, rm_error** error);
rm_code rm_demand_set_order(rm_demand* demand, int32_t order, rm_error** error);
rm_code rm_demand_set_duration(rm_demand* demand, int64_t duration_ns, rm_error** error);
rm_code rm_demand_set_preemptible(rm_demand* demand, int preemptible, rm_error** error);
rm_code rm_demand_set_useful_until(rm_demand* demand, int64_t wall_ns, rm_error** error);
rm_code rm_demand_set_constraints(rm_demand* demand, const char* constraints, rm_error** error);
/* All nodes have the same value of this attribute. */
rm_code rm_demand_set_same(rm_demand* demand, const char* attribute, rm_error** error);

/* --- the allocator: who is offered what --- */

typedef struct rm_options rm_options;
rm_code rm_options_new(rm_options** out, rm_error** error);
void rm_options_free(rm_options* options);
/* How long an offer may be held, in ns, at least 1; 30 s where it is not said. */
rm_code rm_options_set_offer_timeout(rm_options* options, int64_t duration_ns, rm_error** error);
/* How long an earmark without a known start waits before it asks for preemptions; 1 h. */
rm_code rm_options_set_earmark_max(rm_options* options, int64_t duration_ns, rm_error** error);
/* The only roles that frameworks may have, with all below them; any where it is not said. */
rm_code rm_options_set_roles(rm_options* options, const char* roles, rm_error** error);
/* Scalars that do not count for shares: `gpus`. */
rm_code rm_options_set_unfair(rm_options* options, const char* names, rm_error** error);
/* An offer contains one of these at least; adds one. */
rm_code rm_options_add_min_allocatable(rm_options* options, const char* request, rm_error** error);

typedef struct rm_allocator rm_allocator;
rm_code rm_allocator_new(const rm_options* options_or_null, rm_allocator** out, rm_error** error);
/* The same again, to try something out; both go on independently. */
rm_code rm_allocator_clone(const rm_allocator* allocator, rm_allocator** out, rm_error** error);
void rm_allocator_free(rm_allocator* allocator);

enum { RM_WANTS_REVOCABLE = 1 };
rm_code rm_allocator_add_framework(rm_allocator* allocator, uint64_t framework, const char* roles,
                                   uint32_t flags, rm_error** error);
/* `ended`, here and below: NULL, or a list of the offers that this took back. What the framework
 * holds stays held until it is released. */
rm_code rm_allocator_remove_framework(rm_allocator* allocator, uint64_t framework, rm_ids** ended,
                                      rm_error** error);
/* No offers in these roles until revived, which also drops filters; all of its roles for "". */
rm_code rm_allocator_suppress(rm_allocator* allocator, uint64_t framework, const char* roles,
                              rm_error** error);
rm_code rm_allocator_revive(rm_allocator* allocator, uint64_t framework, const char* roles,
                            rm_error** error);
/* Replaces the framework's demands; at most 10000. */
rm_code rm_allocator_set_demands(rm_allocator* allocator, uint64_t framework,
                                 const rm_demand* const* demands, size_t count, rm_error** error);

/* In thousandths, 1..1000000000; 1000 where it was never said. */
rm_code rm_allocator_set_weight(rm_allocator* allocator, const char* role, int64_t weight_milli,
                                rm_error** error);
/* Guarantees and limits of scalars, `cpus:4;mem:16`, "" for none; a limit of 0 is one. Unless
 * `force`, refused where it cannot be kept. */
rm_code rm_allocator_set_quota(rm_allocator* allocator, const char* role, const char* guarantees,
                               const char* limits, int force, rm_ids** ended, rm_error** error);
rm_code rm_allocator_remove_quota(rm_allocator* allocator, const char* role, rm_error** error);

rm_code rm_allocator_add_agent(rm_allocator* allocator, uint64_t agent, const char* hostname,
                               const char* resources, const char* attributes, rm_error** error);
/* What is held there ends with it. */
rm_code rm_allocator_remove_agent(rm_allocator* allocator, uint64_t agent, rm_ids** ended,
                                  rm_error** error);
/* Not offered while inactive; holdings stay. */
rm_code rm_allocator_deactivate_agent(rm_allocator* allocator, uint64_t agent, rm_ids** ended,
                                      rm_error** error);
rm_code rm_allocator_activate_agent(rm_allocator* allocator, uint64_t agent, rm_error** error);
/* Planned unavailability, or RM_NO_TIME. */
rm_code rm_allocator_set_available_until(rm_allocator* allocator, uint64_t agent, int64_t wall_ns,
                                         rm_error** error);

/* Makes the offers that are due. `wall_ns` may be RM_NO_TIME: then useful_until and
 * available_until of demands and agents do not count. A time before an earlier call's counts as
 * that one. */
rm_code rm_allocator_run(rm_allocator* allocator, int64_t now_ns, int64_t wall_ns, rm_offers** out,
                         rm_error** error);
/* Offers that rm_allocator_run took back for an earmark; ask after each run. */
rm_code rm_allocator_take_rescinded(rm_allocator* allocator, rm_ids** out, rm_error** error);
/* Offers whose time is over: they are gone. */
rm_code rm_allocator_expire(rm_allocator* allocator, int64_t now_ns, rm_offers** out,
                            rm_error** error);
/* When expire or run is next of interest; RM_NO_TIME: when something happens. */
int64_t rm_allocator_next_deadline(const rm_allocator* allocator);

/* Offers of one agent, framework and role; `used` is a part of them and held from now on, at most
 * until `until_ns` or RM_NO_TIME; the rest is not offered to the framework again for `refuse_ns`.
 */
rm_code rm_allocator_accept(rm_allocator* allocator, const uint64_t* offers, size_t count,
                            const char* used, int64_t until_ns, int64_t now_ns, int64_t refuse_ns,
                            rm_error** error);
/* The same of several agents, all or nothing: the only way to accept a gang's offers. */
typedef struct rm_parts rm_parts;
rm_code rm_parts_new(rm_parts** out, rm_error** error);
void rm_parts_free(rm_parts* parts);
rm_code rm_parts_add(rm_parts* parts, const uint64_t* offers, size_t count, const char* used,
                     int64_t until_ns, rm_error** error);
rm_code rm_allocator_accept_together(rm_allocator* allocator, const rm_parts* parts, int64_t now_ns,
                                     int64_t refuse_ns, rm_error** error);
/* The reason is shown by explain; NULL for none. */
rm_code rm_allocator_decline(rm_allocator* allocator, uint64_t offer, int64_t now_ns,
                             int64_t refuse_ns, const char* reason_or_null, rm_error** error);
/* Takes an offer back. RM_STALE where it is not outstanding. */
rm_code rm_allocator_rescind(rm_allocator* allocator, uint64_t offer, rm_error** error);

/* Books what a framework is known to hold already. It must be free. */
rm_code rm_allocator_hold(rm_allocator* allocator, uint64_t framework, uint64_t agent,
                          const char* role, const char* resources, int64_t until_ns,
                          rm_error** error);
/* Gives back all or a part of what was accepted or booked, with the same `until_ns`;
 * RM_FAILED_PRECONDITION where that is not held. */
rm_code rm_allocator_release(rm_allocator* allocator, uint64_t framework, uint64_t agent,
                             const char* role, const char* resources, int64_t until_ns,
                             rm_error** error);

/* Why a request gets no offer, over all agents, in a sentence. */
rm_code rm_allocator_explain(const rm_allocator* allocator, uint64_t framework, const char* role,
                             const char* request, int64_t now_ns, char** text, rm_error** error);
rm_code rm_allocator_explain_demand(const rm_allocator* allocator, uint64_t framework,
                                    uint64_t demand, int64_t now_ns, char** text, rm_error** error);
/* What the role has, is owed and waits for; lines. */
rm_code rm_allocator_explain_role(const rm_allocator* allocator, const char* role, char** text,
                                  rm_error** error);
enum { RM_TOTAL = 0, RM_HELD = 1, RM_OFFERED = 2, RM_FREE = 3 };
rm_code rm_allocator_agent_resources(const rm_allocator* allocator, uint64_t agent, int which,
                                     char** text, rm_error** error);
/* Lines that name what is wrong inside; "" where all is well, and anything else is a defect. */
rm_code rm_allocator_check(const rm_allocator* allocator, char** text, rm_error** error);

/* --- the session of a framework with a master: bytes in, bytes and events out --- */

/*
 * The session does no I/O. Your loop connects to the master's framework port (TCP), passes bytes
 * both ways, and calls tick when the deadline has come:
 *
 *     rm_session_start
 *     RM_EVENT_CONNECT           connect; then rm_session_connected, or rm_session_unavailable
 *     readable                   rm_session_received; at its end rm_session_closed
 *     rm_session_outgoing        write it; rm_session_sent for what was written
 *     rm_session_next_deadline   rm_session_tick at that time
 *     rm_session_next_event      after each of these, until it gives NULL
 *
 * It reconnects with back-off, subscribes, expires offers, repeats kills and reconciles by itself.
 */
typedef struct rm_session rm_session;

/* `roles` with `;` between; "" for `*`. */
rm_code rm_session_new(const char* name, const char* user, const char* roles, rm_session** out,
                       rm_error** error);
void rm_session_free(rm_session* session);

/* Before start only, else RM_FAILED_PRECONDITION. */
/* The id that an earlier process of this framework was given. */
rm_code rm_session_set_framework(rm_session* session, uint64_t framework, rm_error** error);
/* How long its tasks survive its absence. */
rm_code rm_session_set_failover_timeout(rm_session* session, int64_t duration_ns, rm_error** error);
/* Of the jitter of reconnections; give each process another one. */
rm_code rm_session_set_seed(rm_session* session, uint64_t seed, rm_error** error);
/* A task that an earlier process launched and that is not known to have ended. */
rm_code rm_session_remember(rm_session* session, const char* task, uint64_t agent,
                            rm_error** error);

/* What happens to it. In any order: what does not fit its state changes nothing but for an error.
 */
rm_code rm_session_start(rm_session* session, int64_t now_ns, rm_error** error);
rm_code rm_session_connected(rm_session* session, int64_t now_ns, rm_error** error);
rm_code rm_session_unavailable(rm_session* session, int64_t now_ns, rm_error** error);
/* RM_CORRUPT, RM_UNSUPPORTED or RM_RESOURCE_EXHAUSTED where no correct master sends that: the
 * session is lost then and there is an RM_EVENT_CLOSE. Bytes without a connection are ignored. */
rm_code rm_session_received(rm_session* session, const void* bytes, size_t size, int64_t now_ns,
                            rm_error** error);
rm_code rm_session_closed(rm_session* session, int64_t now_ns, rm_error** error);
rm_code rm_session_tick(rm_session* session, int64_t now_ns, rm_error** error);

/* When it wants a tick, or RM_NO_TIME. */
int64_t rm_session_next_deadline(const rm_session* session);
/* What is to be written to the connection; valid until the next call with this session. */
const void* rm_session_outgoing(const rm_session* session, size_t* size);
rm_code rm_session_sent(rm_session* session, size_t size, rm_error** error);
/* 0 before the master gave it an id. */
uint64_t rm_session_framework(const rm_session* session);
int rm_session_is_subscribed(const rm_session* session);

enum {
  RM_EVENT_CONNECT = 1,     /* connect to the leading master */
  RM_EVENT_CLOSE = 2,       /* close the connection once what is outgoing is written; message */
  RM_EVENT_OPENED = 3,      /* subscribed: remember framework durably before anything is launched */
  RM_EVENT_LOST = 4,        /* no session any more; it reconnects */
  RM_EVENT_OFFER = 5,       /* offer, agent, hostname, role, resources, attributes, time: expires;
                               available_until, is_lent; of a demand: earmark, demand, together */
  RM_EVENT_OFFER_ENDED = 6, /* offer */
  RM_EVENT_UPDATE = 7,      /* task, agent, state, reason, message, sequence, exit_code, data;
                               acknowledge it once it is remembered, where sequence > 0 */
  RM_EVENT_AGENT_LOST = 8,  /* agent, number: 1 where it is gone for good, 0 where it may return */
  RM_EVENT_REFUSED = 9,     /* a call was refused: number is the rm_code, message */
  RM_EVENT_MESSAGE = 10,    /* from an executor: agent, executor, data */
  RM_EVENT_LEAVE = 11, /* offer (its id), agent, time: wall time before which it is to be left */
  RM_EVENT_LEAVE_ENDED = 12 /* offer */
};

enum { RM_NO_EXIT_CODE = -1 };

/* The next event, or NULL. Valid until the next call of this function with this session. What an
 * event does not have is 0, "" or RM_NO_TIME. Ignore types that you do not know. */
typedef struct rm_event rm_event;
const rm_event* rm_session_next_event(rm_session* session);
int rm_event_type(const rm_event* event);
uint64_t rm_event_framework(const rm_event* event);
uint64_t rm_event_offer(const rm_event* event);
uint64_t rm_event_agent(const rm_event* event);
uint64_t rm_event_sequence(const rm_event* event);
int64_t rm_event_number(const rm_event* event);
int64_t rm_event_time_ns(const rm_event* event);
int32_t rm_event_exit_code(const rm_event* event);
/* Of an offer: wall time when its agent has maintenance or its loan ends, or RM_NO_TIME. What is
 * launched on a loan names a release_by no later. */
int64_t rm_event_available_until_ns(const rm_event* event);
int rm_event_is_lent(const rm_event* event);
/* It serves this demand, and with it so many offers of the same earmark were made: a gang's are
 * accepted by rm_session_accept_together, once all of them have come. */
uint64_t rm_event_earmark(const rm_event* event);
uint64_t rm_event_demand(const rm_event* event);
uint32_t rm_event_together(const rm_event* event);
int rm_event_is_terminal(const rm_event* event); /* the task's state will never change again */
const char* rm_event_hostname(const rm_event* event);
const char* rm_event_role(const rm_event* event);
const char* rm_event_resources(const rm_event* event);
const char* rm_event_attributes(const rm_event* event);
const char* rm_event_task(const rm_event* event);
const char* rm_event_executor(const rm_event* event);
const char* rm_event_state(const rm_event* event);  /* `running`, `finished`, ... */
const char* rm_event_reason(const rm_event* event); /* `command_failed`, ... */
const char* rm_event_message(const rm_event* event);
const void* rm_event_data(const rm_event* event, size_t* size);

/* --- what a framework asks; without a session it is dropped, and launches are reported so --- */

typedef struct rm_task rm_task;
/* `command` is run by a shell. The id is 1..255 bytes of [A-Za-z0-9._-], never used again. */
rm_code rm_task_new(const char* id, const char* resources, const char* command, rm_task** out,
                    rm_error** error);
void rm_task_free(rm_task* task);
/* A program and argv[1..] instead of a shell's text. */
rm_code rm_task_set_program(rm_task* task, const char* program, const char* const* arguments,
                            size_t count, rm_error** error);
rm_code rm_task_set_name(rm_task* task, const char* name, rm_error** error);
rm_code rm_task_set_role(rm_task* task, const char* role, rm_error** error); /* the offer's */
rm_code rm_task_set_environment(rm_task* task, const char* name, const char* value,
                                rm_error** error);
rm_code rm_task_set_data(rm_task* task, const void* data, size_t size, rm_error** error);
rm_code rm_task_set_time_limit(rm_task* task, int64_t duration_ns, rm_error** error);
rm_code rm_task_set_kill_grace(rm_task* task, int64_t duration_ns, rm_error** error);
/* Wall time by which it has let go of its resources; RM_NO_TIME for none. */
rm_code rm_task_set_release_by(rm_task* task, int64_t wall_ns, rm_error** error);

/* Launches on offers of one agent and role, all or nothing; no tasks: gives the offers back. */
rm_code rm_session_accept(rm_session* session, const uint64_t* offers, size_t count,
                          const rm_task* const* tasks, size_t task_count, int64_t refuse_ns,
                          int64_t now_ns, rm_error** error);
/* The same on several agents, all or nothing: the only way to launch on a gang's offers. */
typedef struct rm_launch rm_launch;
rm_code rm_launch_new(rm_launch** out, rm_error** error);
void rm_launch_free(rm_launch* launch);
rm_code rm_launch_add(rm_launch* launch, const uint64_t* offers, size_t count,
                      const rm_task* const* tasks, size_t task_count, rm_error** error);
rm_code rm_session_accept_together(rm_session* session, const rm_launch* launch, int64_t refuse_ns,
                                   int64_t now_ns, rm_error** error);
rm_code rm_session_decline(rm_session* session, const uint64_t* offers, size_t count,
                           int64_t refuse_ns, const char* reason_or_null, int64_t now_ns,
                           rm_error** error);
/* `grace_ns`: from SIGTERM to SIGKILL, or RM_NO_TIME for the task's own. */
rm_code rm_session_kill(rm_session* session, const char* task, int64_t grace_ns, int64_t now_ns,
                        rm_error** error);
/* Of the update with this task, agent and sequence. */
rm_code rm_session_acknowledge(rm_session* session, const char* task, uint64_t agent,
                               uint64_t sequence, int64_t now_ns, rm_error** error);
rm_code rm_session_suppress(rm_session* session, const char* roles, int64_t now_ns,
                            rm_error** error);
rm_code rm_session_revive(rm_session* session, const char* roles, int64_t now_ns, rm_error** error);
/* Replaces its demands. */
rm_code rm_session_demand(rm_session* session, const rm_demand* const* demands, size_t count,
                          int64_t now_ns, rm_error** error);
/* Answers RM_EVENT_LEAVE: it will leave, or why not. */
rm_code rm_session_leave(rm_session* session, uint64_t offer, int will_leave,
                         const char* reason_or_null, int64_t now_ns, rm_error** error);
/* The framework ends: its tasks are killed and its id is never valid again. */
rm_code rm_session_teardown(rm_session* session, int64_t now_ns, rm_error** error);

#ifdef __cplusplus
}
#endif

#endif
