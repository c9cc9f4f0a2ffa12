// The bytes of every released version of every message and record are what they were.
#include <gtest/gtest.h>

#include <cctype>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "examples.hpp"
#include "librm/wire/message.hpp"
#include "librm/wire/record.hpp"

// golden/<registry>.hex has, for each number and version, a line `NUMBER VERSION NAME` and lines
// of hexadecimal digits. RM_REWRITE_GOLDEN=1 rewrites what the present versions encode to and
// keeps what earlier versions did: review the difference.

namespace librm {
namespace {

using NumberAndVersion = std::pair<std::uint16_t, std::uint16_t>;

struct Golden {
  std::string name;
  std::string bytes;
};

/// One registry: its file, what its examples encode to, and how to read bytes and write them anew.
struct Registry {
  std::string file;
  std::map<NumberAndVersion, Golden> examples;
  std::function<Result<std::string>(NumberAndVersion, const std::string&)> reencode;
};

std::string path_of(const Registry& registry) {
  return std::string(RM_SOURCE_DIR) + "/tests/unit/wire/golden/" + registry.file + ".hex";
}

std::string to_hex(const std::string& bytes) {
  static const char* digits = "0123456789abcdef";
  std::string text;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const auto byte = static_cast<unsigned char>(bytes[i]);
    text += digits[byte >> 4];
    text += digits[byte & 15];
    if (i % 48 == 47 || i + 1 == bytes.size()) text += '\n';
  }
  return text;
}

std::map<NumberAndVersion, Golden> read_golden(const Registry& registry) {
  std::map<NumberAndVersion, Golden> all;
  std::ifstream file(path_of(registry));
  Golden* current = nullptr;
  for (std::string line; std::getline(file, line);) {
    if (line.empty() || line[0] == '#') continue;
    NumberAndVersion key;
    std::istringstream words(line);
    std::string name;
    if (line.find(' ') != std::string::npos && words >> key.first >> key.second >> name) {
      current = &(all[key] = Golden{name, ""});
      continue;
    }
    for (std::size_t i = 0; current != nullptr && i + 1 < line.size(); i += 2) {
      current->bytes += static_cast<char>(std::stoi(line.substr(i, 2), nullptr, 16));
    }
  }
  return all;
}

void write_golden(const Registry& registry, const std::map<NumberAndVersion, Golden>& all) {
  std::ofstream file(path_of(registry));
  file << "# number, version, name; then the bytes. Lines of released versions never change.\n";
  for (const auto& [key, golden] : all) {
    file << '\n' << key.first << ' ' << key.second << ' ' << golden.name << '\n';
    file << to_hex(golden.bytes);
  }
}

void check(const Registry& registry) {
  std::map<NumberAndVersion, Golden> all = read_golden(registry);
  if (std::getenv("RM_REWRITE_GOLDEN") != nullptr) {
    for (const auto& [key, golden] : registry.examples) all[key] = golden;
    write_golden(registry, all);
  }
  for (const auto& [key, example] : registry.examples) {
    ASSERT_TRUE(all.contains(key)) << example.name << ": no golden bytes; RM_REWRITE_GOLDEN=1";
    EXPECT_EQ(to_hex(all[key].bytes), to_hex(example.bytes)) << example.name;
  }
  for (const auto& [key, golden] : all) {
    Result<std::string> again = registry.reencode(key, golden.bytes);
    ASSERT_TRUE(again.has_value()) << golden.name << ": " << again.error().message;
    const bool present = registry.examples.contains(key);
    EXPECT_TRUE(!present || *again == golden.bytes) << golden.name;
  }
}

template <class Variant>
void expect_all_alternatives(const std::vector<Variant>& examples) {
  std::set<std::size_t> seen;
  for (const Variant& example : examples) seen.insert(example.index());
  EXPECT_EQ(seen.size(), std::variant_size_v<Variant>) << "an example for each alternative";
}

FrameHeader header_of(NumberAndVersion key) {
  FrameHeader header;
  header.number = key.first;
  header.version = key.second;
  return header;
}

/// Frames of one registry; what goes in must come out equal.
template <class Variant, class Encode, class Decode>
Registry frames(std::string file, const std::vector<Variant>& examples, Encode encode,
                Decode decode) {
  expect_all_alternatives(examples);
  Registry registry;
  registry.file = std::move(file);
  for (const Variant& example : examples) {
    FrameReader reader;
    reader.feed(encode(example));
    const Frame frame = reader.next().value().value();
    const NumberAndVersion key{frame.header.number, frame.header.version};
    EXPECT_FALSE(registry.examples.contains(key)) << "two with number " << key.first;
    EXPECT_EQ(decode(frame.header, frame.payload), Result<Variant>(example));
    registry.examples[key] = {message_name(key.first), std::string(frame.payload)};
  }
  registry.reencode = [=](NumberAndVersion key, const std::string& bytes) -> Result<std::string> {
    Result<Variant> value = decode(header_of(key), bytes);
    if (!value) return tl::unexpected<Error>(value.error());
    return encode(*value).substr(frame_header_size);
  };
  return registry;
}

template <class Variant, class Decode>
Registry records(std::string file, const std::vector<Variant>& examples, Decode decode) {
  expect_all_alternatives(examples);
  Registry registry;
  registry.file = std::move(file);
  for (const Variant& example : examples) {
    const RecordEntry entry = encode_record(example);
    EXPECT_EQ(decode(entry), Result<Variant>(example));
    registry.examples[{entry.number, entry.version}] = {"record", entry.payload};
  }
  registry.reencode = [=](NumberAndVersion key, const std::string& bytes) -> Result<std::string> {
    Result<Variant> value = decode(RecordEntry{0, key.first, key.second, bytes});
    if (!value) return tl::unexpected<Error>(value.error());
    return encode_record(*value).payload;
  };
  return registry;
}

TEST(Golden, Messages) {
  check(frames<Message>(
      "messages", wire_examples::messages(),
      [](const Message& message) { return encode_message(message, 0, 0, 0); },
      [](const FrameHeader& header, std::string_view payload) {
        return decode_message(header, payload);
      }));
}

TEST(Golden, ShepherdMessages) {
  check(frames<ShepherdMessage>(
      "shepherd", wire_examples::shepherd_messages(),
      [](const ShepherdMessage& message) { return encode_shepherd_message(message, 0); },
      &decode_shepherd_message));
}

TEST(Golden, MasterRecords) {
  check(records("master", wire_examples::master_records(), &decode_master_record));
}

TEST(Golden, AgentRecords) {
  check(records("agent", wire_examples::agent_records(), &decode_agent_record));
}

}  // namespace
}  // namespace librm
