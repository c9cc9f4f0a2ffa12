// Messages and records from strangers: taken or refused, never more.
#include "librm/wire/message.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "examples.hpp"
#include "librm/base/prng.hpp"
#include "librm/wire/record.hpp"

namespace librm {
namespace {

FrameHeader header_of(const std::string& frame) {
  FrameReader reader;
  reader.feed(frame);
  return reader.next().value().value().header;
}

std::string payload_of(const std::string& frame) { return frame.substr(frame_header_size); }

TEST(MessageCodec, HeaderCarriesChannelRequestAndEpoch) {
  const std::string frame = encode_message(AgentHeartbeat{1}, 5, 6, 7);
  const FrameHeader header = header_of(frame);
  EXPECT_EQ(header.number, 2);
  EXPECT_EQ(header.channel, 5u);
  EXPECT_EQ(header.request_id, 6u);
  EXPECT_EQ(header.epoch, 7u);
  EXPECT_EQ(decode_message(header, payload_of(frame)).value(), Message(AgentHeartbeat{1}));
}

TEST(MessageCodec, NamesAreKnown) {
  EXPECT_STREQ(message_name(1), "RegisterAgent");
  EXPECT_STREQ(message_name(1006), "TaskProgress");
  EXPECT_STREQ(message_name(999), "unknown");
}

TEST(MessageCodec, UnknownNumberAndNewerReaderAreUnsupported) {
  FrameHeader header;
  header.number = 4000;
  EXPECT_EQ(decode_message(header, "").error(),
            (Error{ErrorCode::unsupported, "number 4000: not known here"}));
  header.number = 1004;
  EXPECT_EQ(decode_message(header, "").error().code, ErrorCode::unsupported)
      << "a shepherd's message is none of a master's";
  header.number = 2;
  header.version = header.oldest_reader = 9;
  EXPECT_EQ(decode_message(header, "").error().message,
            "number 2 (AgentHeartbeat), version 9: for readers from version 9 on, this side has "
            "1");
}

TEST(MessageCodec, NewerVersionsTrailingFieldsAreIgnored) {
  const std::string frame = encode_message(AgentHeartbeat{1}, 0, 0, 0);
  FrameHeader header = header_of(frame);
  const std::string longer = payload_of(frame) + "more";
  EXPECT_EQ(decode_message(header, longer).error().code, ErrorCode::corrupt);
  header.version = 2;
  EXPECT_EQ(decode_message(header, longer).value(), Message(AgentHeartbeat{1}));
}

TEST(MessageCodec, ResourcesAreCanonicalAfterwards) {
  const std::string frame =
      encode_message(AcceptOffers{{}, {wire_examples::task_info()}, {}}, 0, 0, 0);
  // The first range's begin becomes greater than its end.
  std::string payload = payload_of(frame);
  const std::size_t range = payload.find(std::string("\x18\x79\0\0\0\0\0\0", 8));
  ASSERT_NE(range, std::string::npos);
  payload[range + 2] = 1;
  EXPECT_EQ(decode_message(header_of(frame), payload).error().message,
            "number 12 (AcceptOffers), version 2: decode: range: begin 96536 after end 31005");
}

TEST(MessageCodec, HostileCountsAreRefusedInEveryPlace) {
  for (const Message& message : wire_examples::messages()) {
    const std::string frame = encode_message(message, 0, 0, 0);
    const FrameHeader header = header_of(frame);
    const std::string payload = payload_of(frame);
    for (std::size_t i = 0; i + 4 <= payload.size(); ++i) {
      for (const char* count : {"\xff\xff\xff\xff", "\x00\x00\x00\x80", "\xc0\x54\xfe\x03"}) {
        std::string hostile = payload;
        hostile.replace(i, 4, count, 4);
        Result<Message> read = decode_message(header, hostile);
        ASSERT_TRUE(!read || read->index() == message.index());
      }
    }
  }
}

TEST(MessageCodec, RandomMutationsAreTakenOrRefusedAndNothingElse) {
  Prng prng(4);
  int taken = 0;
  for (const Message& message : wire_examples::messages()) {
    const std::string frame = encode_message(message, 0, 0, 0);
    const FrameHeader header = header_of(frame);
    for (int round = 0; round < 2000; ++round) {
      std::string payload = payload_of(frame);
      for (std::uint64_t n = prng.below(4); n > 0; --n) {
        payload[prng.below(payload.size())] = static_cast<char>(prng.next());
      }
      if (prng.chance(1, 3)) payload.resize(prng.below(payload.size() + 1));
      Result<Message> read = decode_message(header, payload);
      if (!read) continue;
      ++taken;
      // What was taken can be sent on, and is then understood in the same way.
      const std::string again = encode_message(*read, 0, 0, 0);
      ASSERT_EQ(decode_message(header, payload_of(again)), read);
    }
  }
  EXPECT_GT(taken, 1000);
}

TEST(MessageCodec, OfALaterVersionIsUnderstoodAsWhatThisOneKnows) {
  for (const Message& message : wire_examples::messages()) {
    const std::string frame = encode_message(message, 0, 0, 0, Dialect::next);
    for (const Dialect reader : {Dialect::current, Dialect::next}) {
      EXPECT_EQ(decode_message(header_of(frame), payload_of(frame), reader),
                Result<Message>(message))
          << message_name(header_of(frame).number);
    }
  }
  for (const MasterRecord& record : wire_examples::master_records()) {
    EXPECT_EQ(decode_master_record(encode_record(record, Dialect::next)),
              Result<MasterRecord>(record));
  }
  for (const AgentCoreRecord& record : wire_examples::agent_records()) {
    EXPECT_EQ(decode_agent_record(encode_record(record, Dialect::next)),
              Result<AgentCoreRecord>(record));
  }
}

TEST(MessageCodec, OfTheFirstVersionIsUnderstoodAndUnderstandsTheOthers) {
  int shorter = 0;
  for (const Message& message : wire_examples::messages()) {
    const std::string first = encode_message(message, 0, 0, 0, Dialect::first);
    const FrameHeader header = header_of(first);
    const Result<Message> as_first = decode_message(header, payload_of(first), Dialect::first);
    ASSERT_TRUE(as_first) << message_name(header.number) << ": " << as_first.error().message;
    // What it does not say has its default here, and what it is told too much it does not see.
    EXPECT_EQ(decode_message(header, payload_of(first)), as_first);
    for (const Dialect dialect : {Dialect::current, Dialect::next}) {
      const std::string frame = encode_message(message, 0, 0, 0, dialect);
      EXPECT_EQ(decode_message(header_of(frame), payload_of(frame), Dialect::first), as_first)
          << message_name(header.number);
    }
    if (as_first != Result<Message>(message)) ++shorter;
  }
  EXPECT_GT(shorter, 2) << "offers, launches and registrations have grown";
}

TEST(RecordCodec, StreamAndNumbersAreSet) {
  const RecordEntry master = encode_record(MasterRecord(EpochRecord{3}));
  EXPECT_EQ(master.stream, master_stream);
  EXPECT_EQ(master.number, 1);
  const RecordEntry agent = encode_record(AgentCoreRecord(AgentIdentityRecord{{1}, 2}));
  EXPECT_EQ(agent.stream, agent_stream);
  EXPECT_EQ(decode_master_record(master).value(), MasterRecord(EpochRecord{3}));
  RecordEntry unknown = master;
  unknown.number = 77;
  EXPECT_EQ(decode_master_record(unknown).error().code, ErrorCode::unsupported);
}

}  // namespace
}  // namespace librm
