// Encodes and decodes ledger records: little-endian numbers, strings with a 16-bit size.
#include "shepherd/ledger_record.hpp"

#include <optional>
#include <utility>

#include "librm/base/check.hpp"
#include "librm/wire/crc32c.hpp"
#include "librm/wire/little_endian.hpp"

namespace librm::shepherd {
namespace {

// Numbers are on disk: append only.
enum class Number : std::uint8_t { boot = 1, starting = 2, started = 3, ended = 4, forgotten = 5 };

enum EndFlags : std::uint8_t {
  end_was_started = 1,
  end_has_exit_code = 2,
  end_has_signal = 4,
  end_has_start_time = 8,
};

template <class T>
void put(std::string& out, T value) {
  char bytes[sizeof(T)];
  detail::store_little_endian(bytes, value);
  out.append(bytes, sizeof bytes);
}

void put(std::string& out, std::string_view text) {
  put(out, static_cast<std::uint16_t>(text.size()));
  out.append(text);
}

void put(std::string& out, const TaskKey& key) {
  put(out, key.framework.value);
  put(out, std::string_view(key.task));
}

void put_body(std::string& out, const LedgerBoot& record) {
  put(out, static_cast<std::uint8_t>(Number::boot));
  put(out, std::string_view(record.boot_id));
  put(out, record.instance);
}

void put_body(std::string& out, const LedgerStarting& record) {
  put(out, static_cast<std::uint8_t>(Number::starting));
  put(out, record.key);
}

void put_body(std::string& out, const LedgerStarted& record) {
  put(out, static_cast<std::uint8_t>(Number::started));
  put(out, record.key);
  put(out, record.pid);
  put(out, record.born.first);
  put(out, record.born.last);
  put(out, record.started.ns);
}

void put_body(std::string& out, const LedgerEnded& record) {
  const TaskEnd& end = record.end;
  int flags = 0;
  if (end.was_started) flags |= end_was_started;
  if (end.exit_code) flags |= end_has_exit_code;
  if (end.signal) flags |= end_has_signal;
  if (end.started) flags |= end_has_start_time;
  put(out, static_cast<std::uint8_t>(Number::ended));
  put(out, end.key);
  put(out, static_cast<std::uint8_t>(flags));
  put(out, end.exit_code.value_or(0));
  put(out, end.signal.value_or(0));
  put(out, end.started.value_or(WallTime{}).ns);
  put(out, end.ended.ns);
  put(out, end.cpu_time.ns);
  put(out, end.rss_max_bytes);
  put(out, std::string_view(end.error).substr(0, ledger_error_max));
}

void put_body(std::string& out, const LedgerForgotten& record) {
  put(out, static_cast<std::uint8_t>(Number::forgotten));
  put(out, record.key);
}

/// Takes fields from the front; after the first that is not there all are zero and ok is false.
class Cursor {
 public:
  explicit Cursor(std::string_view bytes) : bytes_(bytes) {}

  template <class T>
  void get(T& value) {
    if (bytes_.size() < sizeof(T)) return give_up();
    value = detail::load_little_endian<T>(bytes_.data());
    bytes_.remove_prefix(sizeof(T));
  }

  void get(std::string& text) {
    std::uint16_t size = 0;
    get(size);
    if (bytes_.size() < size) return give_up();
    text.assign(bytes_.substr(0, size));
    bytes_.remove_prefix(size);
  }

  void get(TaskKey& key) {
    get(key.framework.value);
    get(key.task);
  }

  bool ok() const { return ok_; }

 private:
  void give_up() {
    ok_ = false;
    bytes_ = {};
  }

  std::string_view bytes_;
  bool ok_ = true;
};

LedgerBoot get_boot(Cursor& cursor) {
  LedgerBoot record;
  cursor.get(record.boot_id);
  cursor.get(record.instance);
  return record;
}

LedgerStarted get_started(Cursor& cursor) {
  LedgerStarted record;
  cursor.get(record.key);
  cursor.get(record.pid);
  cursor.get(record.born.first);
  cursor.get(record.born.last);
  cursor.get(record.started.ns);
  return record;
}

LedgerEnded get_ended(Cursor& cursor) {
  LedgerEnded record;
  TaskEnd& end = record.end;
  std::uint8_t flags = 0;
  std::int32_t exit_code = 0;
  std::int32_t signal = 0;
  WallTime started;
  cursor.get(end.key);
  cursor.get(flags);
  cursor.get(exit_code);
  cursor.get(signal);
  cursor.get(started.ns);
  cursor.get(end.ended.ns);
  cursor.get(end.cpu_time.ns);
  cursor.get(end.rss_max_bytes);
  cursor.get(end.error);
  end.was_started = (flags & end_was_started) != 0;
  if ((flags & end_has_exit_code) != 0) end.exit_code = exit_code;
  if ((flags & end_has_signal) != 0) end.signal = signal;
  if ((flags & end_has_start_time) != 0) end.started = started;
  return record;
}

template <class Record>
Record get_key(Cursor& cursor) {
  Record record;
  cursor.get(record.key);
  return record;
}

std::optional<LedgerRecord> get_record(std::string_view body) {
  Cursor cursor(body);
  std::uint8_t number = 0;
  cursor.get(number);
  LedgerRecord record;
  switch (static_cast<Number>(number)) {
    case Number::boot:
      record = get_boot(cursor);
      break;
    case Number::starting:
      record = get_key<LedgerStarting>(cursor);
      break;
    case Number::started:
      record = get_started(cursor);
      break;
    case Number::ended:
      record = get_ended(cursor);
      break;
    case Number::forgotten:
      record = get_key<LedgerForgotten>(cursor);
      break;
    default:
      return std::nullopt;
  }
  if (!cursor.ok()) return std::nullopt;
  return record;
}

}  // namespace

void append_record(std::string& out, const LedgerRecord& record) {
  const std::size_t start = out.size();
  out.append(ledger_record_header_size, '\0');
  std::visit([&](const auto& body) { put_body(out, body); }, record);
  const std::size_t size = out.size() - start - ledger_record_header_size;
  LIBRM_CHECK(size <= ledger_body_max, "keys are bounded where they are accepted");
  char* header = out.data() + start;
  detail::store_little_endian(header, static_cast<std::uint32_t>(size));
  // The size is part of what is checked, so that no other length fits the same bytes.
  const std::string_view bytes(header, ledger_record_header_size + size);
  const std::uint32_t crc =
      crc32c(bytes.substr(ledger_record_header_size), crc32c(bytes.substr(0, 4)));
  detail::store_little_endian(header + 4, crc);
}

LedgerRead read_record(std::string_view bytes) {
  LedgerRead result;
  if (bytes.size() < ledger_record_header_size) return result;
  const auto size = detail::load_little_endian<std::uint32_t>(bytes.data());
  if (size == 0 || size > ledger_body_max) {
    result.status = LedgerRead::Status::corrupt;
    return result;
  }
  if (bytes.size() - ledger_record_header_size < size) return result;
  const std::string_view body = bytes.substr(ledger_record_header_size, size);
  const auto crc = detail::load_little_endian<std::uint32_t>(bytes.data() + 4);
  std::optional<LedgerRecord> record;
  if (crc == crc32c(body, crc32c(bytes.substr(0, 4)))) record = get_record(body);
  if (!record) {
    result.status = LedgerRead::Status::corrupt;
    return result;
  }
  result.status = LedgerRead::Status::record;
  result.record = std::move(*record);
  result.size = ledger_record_header_size + size;
  return result;
}

}  // namespace librm::shepherd
