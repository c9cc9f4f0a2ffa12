// What a frame costs: checksum, encoding and decoding of the messages on the fast path.
#include <benchmark/benchmark.h>

#include <string>
#include <utility>

#include "librm/wire/crc32c.hpp"
#include "librm/wire/message.hpp"

namespace {

using namespace librm;

TaskInfo task(int i) {
  TaskInfo info;
  info.id = "42." + std::to_string(i) + ".1";
  info.name = "count words";
  info.resources = Resources::parse("cpus:1;mem:128").value();
  info.command.value = "zcat \"$1\" | tr -cs a-z '\\n' | sort | uniq -c > counts";
  info.command.environment = {{"RM_JOB", "42"}, {"RM_INDEX", std::to_string(i)}};
  return info;
}

Message launch(int tasks) {
  LaunchTasks message{{3}, {99}, {}};
  for (int i = 0; i < tasks; ++i) message.tasks.push_back(task(i));
  return message;
}

Message updates(int count) {
  StatusUpdates message;
  for (int i = 0; i < count; ++i) {
    StatusUpdate update;
    update.framework = {3};
    update.task = "42." + std::to_string(i) + ".1";
    update.agent = {17};
    update.state = TaskState::finished;
    update.sequence = 2;
    update.exit_code = 0;
    update.started = update.ended = WallTime{1'700'000'000'000'000'000};
    update.cpu_time = milliseconds(3);
    message.updates.push_back(std::move(update));
  }
  return message;
}

void encode(benchmark::State& state, const Message& message) {
  std::size_t bytes = 0;
  for (auto _ : state) {
    const std::string frame = encode_message(message, 1, 2, 3);
    benchmark::DoNotOptimize(frame.data());
    bytes += frame.size();
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(bytes));
  state.SetItemsProcessed(state.iterations() * state.range(0));
}

/// From the stream's bytes to the struct, as a connection does it.
void decode(benchmark::State& state, const Message& message) {
  const std::string frame = encode_message(message, 1, 2, 3);
  FrameReader reader;
  std::size_t bytes = 0;
  for (auto _ : state) {
    reader.feed(frame);
    const Frame read = reader.next().value().value();
    Result<Message> result = decode_message(read.header, read.payload);
    if (!result) state.SkipWithError(result.error().message.c_str());
    benchmark::DoNotOptimize(result);
    bytes += frame.size();
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(bytes));
  state.SetItemsProcessed(state.iterations() * state.range(0));
}

void EncodeLaunch(benchmark::State& state) { encode(state, launch(int(state.range(0)))); }
void DecodeLaunch(benchmark::State& state) { decode(state, launch(int(state.range(0)))); }
void EncodeUpdates(benchmark::State& state) { encode(state, updates(int(state.range(0)))); }
void DecodeUpdates(benchmark::State& state) { decode(state, updates(int(state.range(0)))); }
BENCHMARK(EncodeLaunch)->Arg(1)->Arg(100);
BENCHMARK(DecodeLaunch)->Arg(1)->Arg(100);
BENCHMARK(EncodeUpdates)->Arg(1)->Arg(100);
BENCHMARK(DecodeUpdates)->Arg(1)->Arg(100);

void Heartbeat(benchmark::State& state) {
  FrameReader reader;
  for (auto _ : state) {
    reader.feed(encode_message(AgentHeartbeat{7}, 1, 2, 3));
    const Frame read = reader.next().value().value();
    benchmark::DoNotOptimize(decode_message(read.header, read.payload));
  }
}
BENCHMARK(Heartbeat);

void Crc32cInstruction(benchmark::State& state) {
  if (!detail::crc32c_has_instruction()) {
    state.SkipWithError("this processor has no SSE 4.2");
    return;
  }
  const std::string bytes(static_cast<std::size_t>(state.range(0)), 'x');
  for (auto _ : state) benchmark::DoNotOptimize(detail::crc32c_by_instruction(bytes, 0));
  state.SetBytesProcessed(state.iterations() * state.range(0));
}
BENCHMARK(Crc32cInstruction)->Arg(64)->Arg(4096)->Arg(1 << 20);

void Crc32cTable(benchmark::State& state) {
  const std::string bytes(static_cast<std::size_t>(state.range(0)), 'x');
  for (auto _ : state) benchmark::DoNotOptimize(detail::crc32c_by_table(bytes, 0));
  state.SetBytesProcessed(state.iterations() * state.range(0));
}
BENCHMARK(Crc32cTable)->Arg(64)->Arg(4096)->Arg(1 << 20);

}  // namespace
