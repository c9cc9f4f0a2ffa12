// What lies behind the handles of a framework's session in C.
#pragma once

#include <deque>

#include "handle.hpp"
#include "librm/cluster/framework.hpp"
#include "librm/wire/frame.hpp"
#include "librm/wire/sequencer.hpp"

struct rm_task {
  librm::TaskInfo info;
};

struct rm_launch {
  std::vector<librm::AcceptPart> parts;
  std::size_t bytes = 0;  ///< of its tasks
};

/// Flat, with its texts, so that pointers into it last as long as it does.
struct rm_event {
  int type = 0;
  std::uint64_t framework = 0;
  std::uint64_t offer = 0;
  std::uint64_t agent = 0;
  std::uint64_t sequence = 0;
  std::int64_t number = 0;
  std::int64_t time_ns = RM_NO_TIME;
  std::int32_t exit_code = RM_NO_EXIT_CODE;
  bool terminal = false;
  bool lent = false;
  std::int64_t available_until_ns = RM_NO_TIME;
  std::uint64_t earmark = 0;
  std::uint64_t demand = 0;
  std::uint32_t together = 0;
  std::string hostname{};
  std::string role{};
  std::string resources{};
  std::string attributes{};
  std::string task{};
  std::string executor{};
  std::string state{};
  std::string reason{};
  std::string message{};
  std::string data{};
};

struct rm_session {
  librm::FrameworkOptions options;
  std::vector<librm::KnownTask> known;       ///< until it starts
  std::optional<librm::FrameworkCore> core;  ///< once it has started

  /// One connection; frames of an earlier one never mix with it.
  struct Line {
    librm::ConnectionId id;
    librm::FrameReader reader;
    librm::Sequencer sequencer;
  };
  std::optional<Line> line;
  std::uint64_t line_last = 0;

  std::string outgoing;
  std::deque<rm_event> events;
  rm_event current;  ///< the one that was given out
};
