// Reading and printing of resources, requests and attributes, with hostile input.
#include <gtest/gtest.h>

#include <string>

#include "librm/resource/attributes.hpp"
#include "librm/resource/request.hpp"
#include "librm/resource/resources.hpp"

namespace librm {
namespace {

std::string canonical(std::string_view text) {
  const auto resources = Resources::parse(text);
  return resources ? to_string(*resources) : "error: " + resources.error().message;
}

std::string error_of(std::string_view text) {
  const auto resources = Resources::parse(text);
  if (resources) return "read: " + to_string(*resources);
  EXPECT_EQ(resources.error().code, ErrorCode::invalid_argument);
  return resources.error().message;
}

std::string request_error(std::string_view text) {
  const auto request = parse_request(text);
  return request ? "read: " + to_string(*request) : request.error().message;
}

std::string attributes_error(std::string_view text) {
  const auto attributes = parse_attributes(text);
  return attributes ? "read: " + to_string(*attributes) : attributes.error().message;
}

TEST(ParseResources, PrintsTheCanonicalForm) {
  EXPECT_EQ(canonical("cpus:8;mem:16384;ports:[31000-32000]"),
            "cpus:8;mem:16384;ports:[31000-32000]");
  EXPECT_EQ(canonical(" mem : 512 ; cpus : 0.5 ; "), "cpus:0.5;mem:512");
  EXPECT_EQ(canonical("disks(prod):{sdb, sda,sdb}"), "disks(prod):{sda,sdb}");
  EXPECT_EQ(canonical("ports:[5-9, 1-3,4, 20]"), "ports:[1-9,20-20]");
  EXPECT_EQ(canonical("cpus:1;cpus(eng/backend):2"), "cpus:1;cpus(eng/backend):2");
  EXPECT_EQ(canonical("cpus(*):1"), "cpus:1");
}

TEST(ParseResources, WhatIsEmptyIsDropped) {
  EXPECT_EQ(canonical(""), "");
  EXPECT_EQ(canonical(" \t\n"), "");
  EXPECT_EQ(canonical("cpus:0;ports:[];disks:{}"), "");
}

TEST(ParseResources, ErrorsSayWhereAndWhatWasExpected) {
  EXPECT_EQ(error_of("cpus"), "at position 5: expected ':', found the end");
  EXPECT_EQ(error_of("cpus:"), "at position 6: expected an amount, '[' or '{', found the end");
  EXPECT_EQ(error_of("cpus:-1"), "at position 6: expected an amount, '[' or '{', found '-'");
  EXPECT_EQ(error_of("cpus:1,5"), "at position 7: expected ';', found ','");
  EXPECT_EQ(error_of(";cpus:1"), "at position 1: expected a name, found ';'");
  EXPECT_EQ(error_of("cpus:1;;"), "at position 8: expected a name, found ';'");
  EXPECT_EQ(error_of("cpus:1.2345"),
            "at position 6: '1.2345' is not an amount: at most three decimals, at most "
            "1000000000000");
  EXPECT_EQ(error_of("ports:[1-"), "at position 10: expected a whole number, found the end");
  EXPECT_EQ(error_of("ports:[1-2"), "at position 11: expected ',' or ']', found the end");
  EXPECT_EQ(error_of("ports:[9-3]"), "at position 8: '9-3' ends before it begins");
  EXPECT_EQ(error_of("ports:[-5]"), "at position 8: expected a whole number, found '-'");
  EXPECT_EQ(error_of("disks:{a b}"), "at position 10: expected ',' or '}', found 'b'");
  EXPECT_EQ(error_of("disks:{a,}"), "at position 10: expected a set member, found '}'");
}

TEST(ParseResources, RefusesDuplicatesAndMixedKinds) {
  EXPECT_EQ(error_of("cpus:1;cpus:2"), "at position 8: 'cpus' is given twice");
  EXPECT_EQ(error_of("cpus:0;cpus:2"), "at position 8: 'cpus' is given twice");
  EXPECT_EQ(error_of("gpus:1;gpus(prod):{g0}"),
            "at position 8: 'gpus' is a scalar, ranges or a set, not two of them");
}

TEST(ParseResources, RefusesBadRoles) {
  EXPECT_EQ(error_of("cpus():1"), "at position 6: expected a role, found ')'");
  EXPECT_EQ(error_of("cpus(-a):1"), "at position 6: '-a' is not a role name");
  EXPECT_EQ(error_of("cpus(a/../b):1"), "at position 6: 'a/../b' is not a role name");
  EXPECT_EQ(error_of("cpus(a b):1"), "at position 8: expected ')', found 'b'");
  EXPECT_EQ(error_of("cpus(a:1"), "at position 7: expected ')', found ':'");
}

TEST(ParseResources, ReadsReservationsInLayers) {
  for (const char* text :
       {"cpus(+eng@alice{tier=gold}):2", "cpus(eng>+eng/backend@ops):2", "disk(eng)[db1]:1024",
        "disk(eng)[db1&]:1024", "disk(+eng@a)[\"my db\"&@bob]{revocable}:7", "cpus{revocable}:2",
        "cpus(+eng{\"a b\"=\"\",x=\"\\x00\\\"\\\\\"}):1", "disks:{\"a b\",sda,\"{\"}",
        "disk(eng)[a]:1;disk(eng)[a]:1;disk(eng)[a]:2"}) {
    EXPECT_EQ(canonical(text), text);
  }
  EXPECT_EQ(canonical(" cpus ( eng > + eng/b @ \"ops\" { b = 2 , a = 1 } ) { revocable } : 2"),
            "cpus(eng>+eng/b@ops{a=1,b=2}){revocable}:2");
}

TEST(ParseResources, TheDefaultRoleIsForWhatNamesNone) {
  const auto with = [](std::string_view text, std::string_view role) {
    const auto read = Resources::parse(text, role);
    return read ? to_string(*read) : read.error().message;
  };
  EXPECT_EQ(with("cpus:8;mem(dev):4;disk(*):5;gpus{revocable}:1", "prod"),
            "cpus(prod):8;disk:5;gpus{revocable}:1;mem(dev):4");
  EXPECT_EQ(with("cpus:8;cpus(prod):1", "prod"), "at position 8: 'cpus' is given twice");
  EXPECT_EQ(with("cpus:8", "a b"), "role 'a b' has a character other than [A-Za-z0-9_.-/]");
}

TEST(ParseResources, RefusesReservationsThatCannotBe) {
  EXPECT_EQ(error_of("cpus(eng>+engine):1"), "at position 11: 'engine' is not below 'eng'");
  EXPECT_EQ(error_of("cpus(eng>+eng):1"), "at position 11: 'eng' is not below 'eng'");
  EXPECT_EQ(error_of("cpus(eng>eng/a):1"),
            "at position 10: 'eng/a' refines a reservation, which needs a '+' before it");
  EXPECT_EQ(error_of("cpus(+*):1"), "at position 7: '*' cannot be reserved for");
  EXPECT_EQ(error_of("cpus(*>+a):1"), "at position 7: expected ')', found '>'");
  EXPECT_EQ(error_of("cpus(a{x=1,x=2}):1"), "at position 12: 'x' is given twice");
  EXPECT_EQ(error_of("cpus(a{}):1"), "at position 8: expected a label, found '}'");
  EXPECT_EQ(error_of("cpus(a@):1"), "at position 8: expected a principal, found ')'");
  EXPECT_EQ(error_of("cpus(a@\"x):1"), "at position 13: expected '\"', found the end");
  EXPECT_EQ(error_of("cpus(a@\"\\y\"):1"),
            "at position 9: expected one of \\\", \\\\ and \\x00 to \\xff");
  EXPECT_EQ(error_of("disk[a]:1"),
            "at position 5: a volume needs a reservation, such as disk(eng)[db1]");
  EXPECT_EQ(error_of("disk(eng)[]:1"), "at position 11: expected a volume's id, found ']'");
  EXPECT_EQ(error_of("cpus{revoked}:1"), "at position 13: expected 'revocable}', found '}'");
  EXPECT_EQ(error_of("cpus{revocable}:1;cpus{revocable}:2"),
            "at position 19: 'cpus' is given twice");
  std::string deep = "cpus(a";
  std::string role = "a";
  for (int i = 0; i < 16; ++i) deep += ">+" + (role += "/a");
  EXPECT_NE(error_of(deep + "):1").find("expected at most 16 layers"), std::string::npos);
}

TEST(ParseResources, HostileTextIsRefusedCheaply) {
  const std::string long_name(65, 'x');
  const std::string long_member(256, 'd');
  EXPECT_EQ(error_of(std::string(70'000, 'x')), "text of 70000 bytes is longer than 65536 bytes");
  EXPECT_EQ(error_of(long_name + ":1"),
            "at position 1: '" + long_name.substr(0, 40) + "...' is longer than 64 bytes");
  EXPECT_EQ(error_of("cpus:" + std::string(60'000, '9')).substr(0, 22), "at position 6: '999999");
  EXPECT_EQ(error_of("p:[0-18446744073709551616]"),
            "at position 6: '18446744073709551616' is larger than 18446744073709551615");
  EXPECT_EQ(error_of("\xffpus:1"), "at position 1: expected a name, found byte 255");
  EXPECT_EQ(error_of(std::string("cpus\0:1", 7)), "at position 5: expected ':', found byte 0");
  EXPECT_EQ(error_of("disks:{" + long_member + "}"),
            "at position 8: '" + long_member.substr(0, 40) + "...' is longer than 255 bytes");
  std::string many;
  for (int i = 0; i < 257; ++i) many += "n" + std::to_string(i) + ":1;";
  EXPECT_NE(error_of(many).find("expected at most 256 entries"), std::string::npos);
}

TEST(ParseResources, TakesTheLargestOfEverything) {
  const auto resources =
      Resources::parse("cpus:1000000000000;ports:[0-18446744073709551615,5-9]").value();
  EXPECT_EQ(resources.amount("cpus").milli, Amount::milli_max);
  EXPECT_EQ(resources.amount("ports").milli, Amount::milli_max);  // saturates
  EXPECT_EQ(to_string(resources), "cpus:1000000000000;ports:[0-18446744073709551615]");
}

TEST(CheckRole, SaysWhatIsWrong) {
  for (const char* role : {"*", "a", "eng/backend", "x.y_z-1/2"}) EXPECT_TRUE(check_role(role));
  EXPECT_EQ(check_role("").error().message, "role '' is empty");
  EXPECT_EQ(check_role("a//b").error().message, "role 'a//b' has an empty part, '.' or '..'");
  EXPECT_EQ(check_role("/a").error().message, "role '/a' has an empty part, '.' or '..'");
  EXPECT_EQ(check_role("a/-b").error().message, "role 'a/-b' has a part that begins with '-'");
  EXPECT_EQ(check_role("a b").error().message,
            "role 'a b' has a character other than [A-Za-z0-9_.-/]");
  EXPECT_FALSE(check_role("a/*"));
  EXPECT_FALSE(check_role(std::string(256, 'a')));
}

TEST(ParseRequest, ReadsAmountsOnly) {
  EXPECT_EQ(request_error("mem:512;cpus:2;ports:1;gpus:0"), "read: cpus:2;mem:512;ports:1");
  EXPECT_EQ(request_error(""), "read: ");
  EXPECT_EQ(request_error("ports:[1-2]"), "at position 7: expected an amount, found '['");
  EXPECT_EQ(request_error("cpus(prod):1"), "at position 5: expected ':', found '('");
  EXPECT_EQ(request_error("cpus:0;cpus:1"), "at position 8: 'cpus' is given twice");
  EXPECT_EQ(request_error("cpus:-2"), "at position 6: expected an amount, found '-'");
  EXPECT_EQ(request_error("cpus:2 mem:3"), "at position 8: expected ';', found 'm'");
}

TEST(ParseAttributes, ReadsTextUpToTheSemicolon) {
  EXPECT_EQ(attributes_error("rack:r7; os : Debian 12 ;disks:4"),
            "read: disks:4;os:Debian 12;rack:r7");
  EXPECT_EQ(attributes_error("url:http://h:80/"), "read: url:http://h:80/");
  EXPECT_EQ(attributes_error("rack:"), "at position 6: expected a value, found the end");
  EXPECT_EQ(attributes_error("rack: ;os:x"), "at position 7: expected a value, found ';'");
  EXPECT_EQ(attributes_error("rack:a;rack:b"), "at position 8: 'rack' is given twice");
  EXPECT_EQ(attributes_error("rack:a\x01"), "at position 7: expected ';', found byte 1");
  EXPECT_EQ(attributes_error("rack:" + std::string(256, 'r')),
            "at position 6: '" + std::string(40, 'r') + "...' is longer than 255 bytes");
  EXPECT_EQ(attributes_error(std::string(70'000, 'a')),
            "text of 70000 bytes is longer than 65536 bytes");
}

TEST(ParseAttributes, RangesAndSetsMustBeValid) {
  EXPECT_EQ(attributes_error("gpus: {a, b} ;ports:[1-3,7]"), "read: gpus:{a, b};ports:[1-3,7]");
  EXPECT_EQ(attributes_error("rack:r7;ports:[1-"),
            "at position 18: expected a whole number, found the end");
  EXPECT_EQ(attributes_error("ports:[1-2] x;os:l"),
            "at position 13: expected the end of the value, found 'x'");
  EXPECT_EQ(attributes_error("gpus:{a;os:l"), "at position 8: expected ',' or '}', found the end");
}

TEST(ReadAttribute, TellsNumbersRangesSetsAndText) {
  EXPECT_EQ(read_attribute("1.50").value(), AttributeValue(Amount{1500}));
  EXPECT_EQ(read_attribute("[1-2,3]").value(), AttributeValue(Ranges({{1, 3}})));
  EXPECT_EQ(read_attribute("{b, a,b}").value(), AttributeValue(StringSet{"a", "b"}));
  for (const char* text : {"r7", "-4", "1.2345", "1e3", "4 cores", "a[1]", ""}) {
    EXPECT_EQ(read_attribute(text).value(), AttributeValue(std::string(text)));
  }
  EXPECT_EQ(read_attribute("{a").error().message,
            "at position 3: expected ',' or '}', found the end");
  for (const char* text : {"1.5", "[1-3,5-5]", "{a,b}", "r7"}) {
    EXPECT_EQ(to_string(read_attribute(text).value()), text);
  }
}

TEST(FindAttribute, KnowsHostRegionAndZone) {
  const Attributes attributes = {{"region", "eu"}, {"rack", "r7"}};
  const AgentFacts facts{"n1", attributes};
  EXPECT_EQ(find_attribute(facts, "@hostname"), "n1");
  EXPECT_EQ(find_attribute(facts, "@region"), "eu");
  EXPECT_EQ(find_attribute(facts, "@zone"), std::nullopt);
  EXPECT_EQ(find_attribute(facts, "rack"), "r7");
  EXPECT_EQ(find_attribute(facts, "hostname"), std::nullopt);
}

}  // namespace
}  // namespace librm
