// The shape that every core shares: events in; records and outputs out, in their order of effect.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "librm/base/id.hpp"
#include "librm/base/time.hpp"
#include "librm/cluster/message.hpp"

// A core is a class with
//
//     void step(Now, const Event&, Actions&);   one event; appends actions
//     void flush(Now, Actions&);                after a batch of steps: what was gathered to be
//                                               sent together (offers, updates, acknowledgements)
//     Deadline next_deadline() const;           when it wants a Tick
//     void apply(const Record&);                the only mutator of durable state
//     void resume(Now, Actions&);               once, after recovery by apply()
//     std::vector<std::string> check_invariants() const;
//
// and has no I/O, threads, clock, globals, randomness of its own, or logging. Its owner performs
// the actions: records go to the journal, and no output leaves the process before every record
// that precedes it is durable.

namespace librm {

/// What a step wants done, in order. A record in the list was applied by the core already.
template <class Record, class Output>
class ActionList {
 public:
  using Item = std::variant<Record, Output>;

  void record(Record record) { items_.emplace_back(std::in_place_index<0>, std::move(record)); }
  void output(Output output) { items_.emplace_back(std::in_place_index<1>, std::move(output)); }

  std::vector<Item>& items() { return items_; }
  const std::vector<Item>& items() const { return items_; }
  bool empty() const { return items_.empty(); }
  void clear() { items_.clear(); }

 private:
  std::vector<Item> items_;
};

/// No message is built that comes near a frame's limit (wire/frame.hpp): what grows with the
/// number of tasks is sent in pieces of about this size.
inline constexpr std::size_t piece_bytes = 4 << 20;

/// Hands `items` on in order, in vectors whose sizes add up to about piece_bytes.
template <class T, class Size, class Emit>
void in_pieces(std::vector<T> items, Size size, Emit emit) {
  std::vector<T> piece;
  std::size_t bytes = 0;
  for (T& item : items) {
    bytes += size(item);
    piece.push_back(std::move(item));
    if (bytes < piece_bytes) continue;
    emit(std::exchange(piece, {}));
    bytes = 0;
  }
  if (!piece.empty()) emit(std::move(piece));
}

inline std::size_t piece_size(const TaskInfo& info) {
  std::size_t bytes = text_bytes(info) + 512 + info.resources.list().size() * 128;
  for (const Resource& entry : info.resources.list()) {
    if (const auto* ranges = std::get_if<Ranges>(&entry.value)) bytes += ranges->list().size() * 16;
  }
  return bytes;
}
inline std::size_t piece_size(const StatusUpdate& update) {
  return update.message.size() + update.data.size() + update.task.size() + 256;
}

// --- events and outputs that several cores share ---

/// A deadline that the core asked for has come; also harmless at any other time.
struct Tick {};

/// A peer's message, whole and checked by the wire.
struct Received {
  ConnectionId connection;
  Message message;
};

/// The connection is gone; nothing more comes from it. Says nothing about the peer's health.
struct Closed {
  ConnectionId connection;
};

/// The journal's disk is nearly full (room for terminal records remains), or no longer.
struct StorageLow {
  bool low = true;
};

struct Send {
  ConnectionId connection;
  Message message;
};

/// Closed{} for it does not come back as an event.
struct Close {
  ConnectionId connection;
  std::string reason;
};

}  // namespace librm
