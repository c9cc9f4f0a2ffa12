// The bounded archive: what comes back, and what hostile bytes may not do.
#include "librm/wire/archive.hpp"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <limits>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "librm/base/amount.hpp"
#include "librm/base/id.hpp"
#include "librm/base/prng.hpp"
#include "librm/base/time.hpp"
#include "librm/wire/codec.hpp"

namespace librm {

enum class Color : std::uint8_t { red = 1, green = 2, blue = 3 };
template <>
struct WireEnum<Color> : WireEnumRange<Color::red, Color::blue> {};

struct Nothing {
  auto operator<=>(const Nothing&) const = default;
};
LIBRM_WIRE(Nothing)

struct Tiny {
  bool flag = false;
  bool operator==(const Tiny&) const = default;
};
LIBRM_WIRE(Tiny, flag)

struct Tree {
  std::vector<Tree> children;
  bool operator==(const Tree&) const = default;
};
LIBRM_WIRE(Tree, children)

struct Everything {
  std::uint8_t small = 0;
  std::int64_t large = 0;
  double real = 0;
  bool flag = false;
  Color color = Color::red;
  std::string text;
  std::vector<std::uint16_t> numbers;
  std::vector<std::string> texts;
  std::map<std::string, std::uint32_t> map;
  std::set<std::string> set;
  std::optional<std::string> maybe;
  std::variant<std::monostate, std::string, Tiny> either;
  std::pair<std::uint8_t, std::string> pair;
  std::vector<Nothing> nothings;
  AgentId id;
  Amount amount;
  Duration duration;
  Instant instant;
  WallTime wall;
  bool operator==(const Everything&) const = default;
};
LIBRM_WIRE(Everything, small, large, real, flag, color, text, numbers, texts, map, set, maybe,
           either, pair, nothings, id, amount, duration, instant, wall)

// One struct as three versions of a program see it.
struct DetailsV1 {
  std::uint32_t a = 0;
  bool operator==(const DetailsV1&) const = default;
};
LIBRM_WIRE(DetailsV1, a)
struct DetailsV2 {
  std::uint32_t a = 0;
  std::string b;
  bool operator==(const DetailsV2&) const = default;
};
template <class Archive>
void serialize(Archive& archive, DetailsV2& value) {
  archive(value.a);
  archive.optional_tail(value.b, "default");
}
template <class Details, std::uint16_t version>
struct Parent {
  Details details;
  std::uint32_t after = 0;
  bool operator==(const Parent&) const = default;
};
template <class Archive, class Details, std::uint16_t version>
void serialize(Archive& archive, Parent<Details, version>& value) {
  archive(enveloped(value.details, version), value.after);
}

using OldShape = std::variant<Tiny, DetailsV1>;
using NewShape = std::variant<DetailsV2, Tiny>;
template <>
struct WireNumber<Tiny> : WireNumbers<5> {};
template <>
struct WireNumber<DetailsV1> : WireNumbers<9, 1> {};
template <>
struct WireNumber<DetailsV2> : WireNumbers<9, 2, 1> {};

namespace {

Everything example() {
  Everything e;
  e.small = 255;
  e.large = std::numeric_limits<std::int64_t>::min();
  e.real = -0.5;
  e.flag = true;
  e.color = Color::blue;
  e.text = std::string("nul \0 inside", 12);
  e.numbers = {1, 2, 65535};
  e.texts = {"", "x", std::string(1000, 'y')};
  e.map = {{"a", 1}, {"b", 2}};
  e.set = {"p", "q"};
  e.maybe = "here";
  e.either = Tiny{true};
  e.pair = {7, "seven"};
  e.nothings.resize(3);
  e.id.value = 17;
  e.amount = Amount::units(-2);
  e.duration = seconds(3);
  e.instant.ns = 5;
  e.wall.ns = 6;
  return e;
}

template <class T>
std::string error_of(std::string_view bytes) {
  Result<T> value = decode<T>(bytes);
  EXPECT_FALSE(value.has_value());
  if (value) return "";
  EXPECT_EQ(value.error().code, ErrorCode::corrupt);
  return value.error().message;
}

std::string u32(std::uint64_t value) { return encode(static_cast<std::uint32_t>(value)); }

TEST(Archive, EverythingComesBack) {
  EXPECT_EQ(decode<Everything>(encode(example())), example());
  EXPECT_EQ(decode<Everything>(encode(Everything{})), Everything{});
}

TEST(Archive, NumbersAreLittleEndianAndAsWideAsTheirType) {
  EXPECT_EQ(encode(std::uint32_t{0x01020304}), "\x04\x03\x02\x01");
  EXPECT_EQ(encode(AgentId{1}), std::string("\x01\0\0\0\0\0\0\0", 8));
  EXPECT_EQ(encode(std::string("ab")), std::string("\x02\0\0\0ab", 6));
  EXPECT_EQ(encode(Color::green), "\x02");
  EXPECT_EQ(encode(std::optional<bool>(true)), "\x01\x01");
}

TEST(Archive, AppendsBehindWhatIsThere) {
  std::string target = "head";
  encode_to(target, std::uint16_t{0x4142});
  EXPECT_EQ(target, "headBA");
}

TEST(Archive, EveryTruncationIsRefused) {
  const std::string bytes = encode(example());
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    ASSERT_FALSE(decode<Everything>(std::string_view(bytes).substr(0, size))) << size;
  }
}

TEST(Archive, TrailingBytesAreRefusedUnlessAllowed) {
  EXPECT_EQ(error_of<std::uint8_t>("ab"), "decode: 1 bytes after the value");
  EXPECT_EQ(decode<std::uint8_t>("ab", Trailing::ignored).value(), 'a');
}

TEST(Archive, HostileCountsCostNothing) {
  rusage before{};
  getrusage(RUSAGE_SELF, &before);
  for (std::uint64_t count : {1ull << 31, (1ull << 32) - 1, 67'000'000ull, 1ull << 20, 100ull}) {
    const std::string bytes = u32(count) + std::string(50, '\0');
    error_of<std::string>(bytes);
    error_of<std::vector<std::uint8_t>>(bytes);
    error_of<std::vector<std::string>>(bytes);
    error_of<std::vector<Everything>>(bytes);
    error_of<std::vector<Nothing>>(bytes);
    error_of<std::vector<Tiny>>(bytes);
    error_of<std::vector<Tree>>(bytes);
    error_of<std::vector<std::optional<Everything>>>(bytes);
    error_of<std::vector<std::variant<std::monostate, Everything>>>(bytes);
    error_of<std::map<std::string, std::string>>(bytes);
    error_of<std::set<std::string>>(bytes);
  }
  rusage after{};
  getrusage(RUSAGE_SELF, &after);
  EXPECT_LT(after.ru_maxrss - before.ru_maxrss, 8192) << "KiB";
}

TEST(Archive, CountsAreCappedEvenWhereTheBytesAreThere) {
  const std::string bytes = u32(element_count_max + 1) + std::string(element_count_max + 1, '\0');
  EXPECT_EQ(error_of<std::vector<Tiny>>(bytes),
            "decode: elements: 1048577 of at least 1 bytes, limit 1048576 and 1048577 bytes left");
  error_of<std::vector<Nothing>>(bytes);
}

TEST(Archive, ElementsCountWithTheirSmallestEncoding) {
  EXPECT_EQ(wire_size_min<std::uint16_t>(), 2u);
  EXPECT_EQ(wire_size_min<AgentId>(), 8u);
  EXPECT_EQ(wire_size_min<Tree>(), 4u);
  EXPECT_EQ(wire_size_min<DetailsV2>(), 4u);
  EXPECT_EQ((wire_size_min<Parent<DetailsV2, 2>>()), 10u);
  EXPECT_EQ(wire_size_min<Everything>(), encode(Everything{}).size());
}

// As a cereal header for another container would ask.
TEST(Archive, SizesOfForeignContainersAreBoundedToo) {
  for (std::uint64_t size : {1ull << 31, 1ull << 60, ~0ull, 67'000'000ull, 9ull}) {
    const std::string bytes = encode(size) + "12345678";
    BoundedInArchive archive(bytes);
    cereal::size_type read = 0;
    EXPECT_THROW(archive(cereal::make_size_tag(read)), WireError) << size;
  }
}

TEST(Archive, NestingIsBounded) {
  Tree tree;
  for (int depth = 0; depth < 10; ++depth) tree = Tree{{tree}};
  EXPECT_EQ(decode<Tree>(encode(tree)), tree);
  std::string deep;
  for (int depth = 0; depth < 100'000; ++depth) deep += u32(1);
  EXPECT_EQ(error_of<Tree>(deep + u32(0)), "decode: nested deeper than 32");
}

TEST(Archive, OnlyCanonicalBytesAreTaken) {
  EXPECT_EQ(error_of<bool>("\x02"), "decode: bool: need 0 or 1, got 2");
  EXPECT_EQ(error_of<Color>("\x04"), "decode: enum: unknown value 4");
  EXPECT_EQ(error_of<Color>(std::string_view("\0", 1)), "decode: enum: unknown value 0");
  EXPECT_EQ(error_of<std::set<std::uint8_t>>(u32(2) + "ba"),
            "decode: keys of a map or set are not in ascending order");
  EXPECT_EQ(error_of<std::set<std::uint8_t>>(u32(2) + "aa"),
            "decode: keys of a map or set are not in ascending order");
  EXPECT_EQ((error_of<std::variant<bool, Tiny>>(std::string_view("\x02\0\0", 3))),
            "decode: variant: unknown alternative 2");
  EXPECT_EQ(error_of<Amount>(encode(Amount::milli_max + 1)),
            "decode: amount: 1000000000000001 thousandths, limit 1000000000000000");
}

TEST(Archive, RandomMutationsAreTakenOrRefusedAndNothingElse) {
  Prng prng(3);
  const std::string bytes = encode(example());
  int taken = 0;
  for (int round = 0; round < 100'000; ++round) {
    std::string mutated = bytes;
    for (std::uint64_t n = 1 + prng.below(4); n > 0; --n) {
      mutated[prng.below(mutated.size())] = static_cast<char>(prng.next());
    }
    if (prng.chance(1, 4)) mutated.resize(prng.below(mutated.size()));
    Result<Everything> value = decode<Everything>(mutated);
    if (!value) continue;
    ++taken;
    EXPECT_EQ(encode(*value), mutated) << "one value has one encoding";
  }
  EXPECT_GT(taken, 0);
}

TEST(Envelope, OlderReaderSkipsWhatItDoesNotKnow) {
  const Parent<DetailsV2, 2> written{{1, "new"}, 7};
  const Parent<DetailsV1, 1> expected{{1}, 7};
  EXPECT_EQ((decode<Parent<DetailsV1, 1>>(encode(written))), expected);
}

TEST(Envelope, NewerReaderGetsDefaults) {
  const Parent<DetailsV1, 1> written{{1}, 7};
  const Parent<DetailsV2, 2> expected{{1, "default"}, 7};
  EXPECT_EQ((decode<Parent<DetailsV2, 2>>(encode(written))), expected);
}

TEST(Envelope, CannotReachOutsideOfItself) {
  std::string bytes = encode(Parent<DetailsV1, 1>{{1}, 7});
  bytes[2] = 3;  // its size
  error_of<Parent<DetailsV1, 1>>(bytes);
  bytes[2] = 100;
  error_of<Parent<DetailsV1, 1>>(bytes);
}

TEST(Codec, NumberDecidesAndNotThePlaceInTheVariant) {
  const std::string frame = encode_frame(OldShape(Tiny{true}), 1, 2, 3);
  FrameReader reader;
  reader.feed(frame);
  const Frame read = reader.next().value().value();
  EXPECT_EQ(read.header, (FrameHeader{0, 5, 1, 1, 1, 1, 2, 3}));
  EXPECT_EQ(decode_payload<NewShape>(5, 1, 1, read.payload).value(), NewShape(Tiny{true}));
}

TEST(Codec, VersionsMeet) {
  const RecordEntry old_entry = encode_record_entry(OldShape(DetailsV1{4}), 1);
  EXPECT_EQ(decode_record_entry<NewShape>(old_entry).value(), NewShape(DetailsV2{4, "default"}));
  const RecordEntry new_entry = encode_record_entry(NewShape(DetailsV2{4, "x"}), 1);
  EXPECT_EQ(new_entry.version, 2);
  EXPECT_EQ(decode_record_entry<OldShape>(new_entry).value(), OldShape(DetailsV1{4}));
}

TEST(Codec, ErrorsNameTheNumbers) {
  EXPECT_EQ(decode_payload<OldShape>(77, 1, 1, "").error(),
            (Error{ErrorCode::unsupported, "number 77: not known here"}));
  EXPECT_EQ(decode_payload<OldShape>(9, 3, 2, "....").error(),
            (Error{ErrorCode::unsupported,
                   "number 9 (unnamed), version 3: for readers from version 2 on, this side has "
                   "1"}));
  EXPECT_EQ(decode_payload<OldShape>(9, 1, 1, ".....").error(),
            (Error{ErrorCode::corrupt,
                   "number 9 (unnamed), version 1: decode: 1 bytes after the value"}));
}

}  // namespace
}  // namespace librm
