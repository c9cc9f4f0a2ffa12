// Resources between versions: what was there at first keeps its bytes, what came later is refused
// by who doesn't know it.
#include <gtest/gtest.h>

#include <string>

#include "librm/wire/fields_cluster.hpp"

namespace librm {
namespace {

Resource reserved_disk() {
  const Reservation outer{"eng", false, "", {}};
  const Reservation inner{"eng/db", true, "alice", {{"tier", "gold"}}};
  return {.name = "disk",
          .reservations = {outer, inner},
          .volume = Volume{"db1", true, "bob"},
          .value = Amount::units(1024)};
}

Resources one(Resource resource) {
  Resources all;
  all.add(std::move(resource));
  return all;
}

TEST(ResourceCodec, ReservationsAndVolumesComeBack) {
  Resources all = Resources::parse("cpus:2;cpus(eng):1").value();
  all.add(reserved_disk());
  all.add({.name = "cpus",
           .reservations = {{"eng", true, "", {}}},
           .revocable = true,
           .value = Amount::units(3)});
  EXPECT_EQ(decode<Resources>(encode(all)), Result<Resources>(all));
}

TEST(ResourceCodec, StaticReservationsKeepTheirFirstBytes) {
  const std::string bytes = encode(
      one({.name = "c", .reservations = reserved_for("r"), .revocable = true, .value = Amount{5}}));
  const char expected[] =
      "\x01\0\0\0"               // one entry
      "\x01\0\0\0c"              // name
      "\x01\0\0\0r"              // role
      "\x01"                     // revocable
      "\0\0\x05\0\0\0\0\0\0\0";  // a scalar
  EXPECT_EQ(bytes, std::string(expected, sizeof expected - 1));
}

TEST(ResourceCodec, DetailsSetAFlagThatAReaderOfABoolRefuses) {
  const std::string bytes = encode(one(reserved_disk()));
  const std::size_t flags = 4 + 4 + 4 + 4 + 6;  // count, disk, eng/db
  EXPECT_EQ(bytes[flags], 2);
  std::string wrong = bytes;
  wrong[flags] = 4;
  EXPECT_EQ(decode<Resources>(wrong).error().message, "decode: resource disk: flags 4");
}

TEST(ResourceCodec, ReservationsThatCannotBeAreCorrupt) {
  Resource wrong = reserved_disk();
  wrong.reservations[1].role = "engine";
  const auto read = decode<Resources>(encode(one(wrong)));
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error(),
            (Error{ErrorCode::corrupt, "decode: resource disk: role 'engine' is not below 'eng'"}));
}

TEST(ResourceCodec, EqualVolumesAreTwoPieces) {
  Resources twice = one(reserved_disk());
  twice.add(reserved_disk());
  EXPECT_EQ(decode<Resources>(encode(twice)), Result<Resources>(twice));
}

}  // namespace
}  // namespace librm
