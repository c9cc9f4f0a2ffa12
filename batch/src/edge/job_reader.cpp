// The fields of a submitted job: one reader a type, one line a field.
#include "job_reader.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "batch/array_text.hpp"
#include "batch/edge/job_json.hpp"
#include "batch/edge/units.hpp"
#include "json_text.hpp"

namespace batch {

namespace {

using librm::Amount;
using librm::Duration;
using nlohmann::json;

constexpr std::int64_t amount_units_max = 1'000'000'000;

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i);
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t changed = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = std::exchange(row[j], std::min({changed, row[j] + 1, row[j - 1] + 1}));
    }
  }
  return row[b.size()];
}

/// One field at a time: knows its path, and what was wrong so far.
class Reader {
 public:
  Reader(JobSpec& spec, std::vector<FieldError>& errors) : spec_(spec), errors_(errors) {}

  void at(std::string path) { path_ = std::move(path); }
  const std::string& path() const { return path_; }

  void wrong(std::string detail) {
    if (errors_.size() < field_errors_max) errors_.push_back({path_, std::move(detail)});
  }
  void expected(const char* what, const json& value) {
    wrong(std::string("expected ") + what + ", got " + shown(value));
  }

  void text(const json& value, std::string& target) {
    if (!value.is_string()) return expected("a text", value);
    target = value.get_ref<const std::string&>();
  }

  void flag(const json& value, bool& target) {
    if (!value.is_boolean()) return expected("true or false", value);
    target = value.get<bool>();
  }

  template <class Number>
  void whole(const json& value, Number& target, std::int64_t low, std::int64_t high) {
    if (!value.is_number_integer()) return expected("a whole number", value);
    const bool huge =
        value.is_number_unsigned() && value.get<std::uint64_t>() > static_cast<std::uint64_t>(high);
    if (huge || value.get<std::int64_t>() < low || value.get<std::int64_t>() > high) {
      return wrong(shown(value) + " is outside of " + std::to_string(low) + " to " +
                   std::to_string(high));
    }
    target = static_cast<Number>(value.get<std::int64_t>());
  }

  /// `least` is the smallest that makes sense; 0 means "none" where that is allowed.
  void amount(const json& value, const char* name, bool may_be_size, bool may_be_zero) {
    Amount amount;
    if (may_be_size && value.is_string()) {
      auto size = parse_size(value.get_ref<const std::string&>());
      if (!size) return wrong(size.error().message);
      amount = *size;
    } else if (!value.is_number()) {
      return expected(may_be_size ? "a number of MiB or a size such as \"2G\"" : "a number", value);
    } else {
      const double given = value.get<double>();
      // The comparison is false for what is not a number at all.
      if (!(given >= 0) || given > static_cast<double>(amount_units_max)) {
        return wrong(shown(value) + " is outside of 0 to " + std::to_string(amount_units_max));
      }
      amount.milli = std::llround(given * 1000);
      if (std::abs(given * 1000 - static_cast<double>(amount.milli)) > 1e-3) {
        return wrong(shown(value) + " has more than three decimals");
      }
    }
    if (amount > Amount::units(amount_units_max)) {
      return wrong(shown(value) + " is more than " + std::to_string(amount_units_max));
    }
    if (amount.milli == 0 && !may_be_zero) return wrong("must be more than 0, is " + shown(value));
    if (amount.milli > 0) spec_.request.amounts[name] = amount;
  }

  void span(const json& value, Duration& target) {
    if (value.is_string()) {
      auto span = parse_span(value.get_ref<const std::string&>());
      if (!span) return wrong(span.error().message);
      target = *span;
    } else if (value.is_number()) {
      const double seconds = value.get<double>();
      if (!(seconds >= 0) || seconds > 3'162'240'000.0) {
        return wrong(shown(value) + " is not a number of seconds up to 100 years");
      }
      target = Duration{std::llround(seconds * 1e3) * 1'000'000};
    } else {
      expected("a number of seconds or a span such as \"90s\"", value);
    }
  }
  void span(const json& value, std::optional<Duration>& target) {
    Duration read;
    const std::size_t before = errors_.size();
    span(value, read);
    if (errors_.size() == before) target = read;
  }

  template <class Map>
  void pairs(const json& value, Map& target) {
    if (!value.is_object()) return expected("an object of texts", value);
    const std::string path = path_;
    for (const auto& [key, entry] : value.items()) {
      path_ = pointer(path, key);
      std::string read;
      text(entry, read);
      target.insert_or_assign(key, std::move(read));
    }
    path_ = path;
  }

  void texts(const json& value, std::vector<std::string>& target) {
    if (!value.is_array()) return expected("a list of texts", value);
    const std::string path = path_;
    for (std::size_t i = 0; i < value.size(); ++i) {
      path_ = pointer(path, std::to_string(i));
      text(value[i], target.emplace_back());
    }
    path_ = path;
  }

  /// Names or ids; one alone needs no list.
  void parents(const json& value, EdgeKind kind) {
    if (!value.is_array()) return parent(value, kind);
    const std::string path = path_;
    for (std::size_t i = 0; i < value.size(); ++i) {
      path_ = pointer(path, std::to_string(i));
      parent(value[i], kind);
    }
    path_ = path;
  }

  template <class E>
  void choice(const json& value, E& target, std::initializer_list<E> all) {
    std::string names;
    for (E one : all) {
      if (value.is_string() && value.get_ref<const std::string&>() == to_string(one)) {
        target = one;
        return;
      }
      names += (names.empty() ? "'" : ", '") + std::string(to_string(one)) + "'";
    }
    expected(("one of " + names).c_str(), value);
  }

  JobSpec& spec() { return spec_; }

 private:
  void parent(const json& value, EdgeKind kind) {
    if (value.is_number_unsigned()) {
      spec_.dependencies.push_back({std::to_string(value.get<std::uint64_t>()), kind});
    } else if (value.is_string() && !value.get_ref<const std::string&>().empty()) {
      spec_.dependencies.push_back({value.get<std::string>(), kind});
    } else {
      expected("a job's name or id", value);
    }
  }

  JobSpec& spec_;
  std::vector<FieldError>& errors_;
  std::string path_;
};

void read_argv(Reader& reader, const json& value) {
  std::vector<std::string> argv;
  reader.texts(value, argv);
  if (!value.is_array()) return;
  if (argv.empty()) return reader.wrong("an empty list: the first entry is the program");
  librm::Command& command = reader.spec().command;
  command.shell = false;
  command.value = std::move(argv.front());
  command.arguments.assign(std::make_move_iterator(argv.begin() + 1),
                           std::make_move_iterator(argv.end()));
}

void read_fetched_file(Reader& reader, const std::string& path, const json& value) {
  librm::Fetch& file = reader.spec().command.fetch.emplace_back();
  reader.at(path);
  if (value.is_string()) {
    file.uri = value.get<std::string>();
    return;
  }
  if (!value.is_object() || !value.contains("uri")) {
    return reader.expected("a URI, or an object with \"uri\"", value);
  }
  for (const auto& [key, field] : value.items()) {
    reader.at(pointer(path, key));
    if (key == "uri") {
      reader.text(field, file.uri);
    } else if (key == "output_file") {
      reader.text(field, file.output_file);
    } else if (key == "extract") {
      reader.flag(field, file.extract);
    } else if (key == "executable") {
      reader.flag(field, file.executable);
    } else {
      reader.wrong(unknown_field(key, {"uri", "output_file", "extract", "executable"}));
    }
  }
}

void read_fetch(Reader& reader, const json& value) {
  if (!value.is_array()) return reader.expected("a list of files to fetch", value);
  const std::string list = reader.path();
  for (std::size_t i = 0; i < value.size(); ++i) {
    read_fetched_file(reader, pointer(list, std::to_string(i)), value[i]);
  }
}

void read_array(Reader& reader, const json& value) {
  if (!value.is_string()) return reader.expected("indices such as \"0-99%10\"", value);
  auto array = parse_array(value.get_ref<const std::string&>());
  if (!array) return reader.wrong(array.error().message);
  reader.spec().array = std::move(*array);
}

void read_patterns(Reader& reader, const json& value, bool negated) {
  std::map<std::string, std::string> pairs;
  reader.pairs(value, pairs);
  for (auto& [name, pattern] : pairs) {
    reader.spec().patterns.push_back({name, std::move(pattern), negated});
  }
}

struct Field {
  std::string_view name;
  void (*read)(Reader& r, const json& v);
};

// clang-format off
constexpr Field fields[] = {
    {"name",          [](Reader& r, const json& v) { r.text(v, r.spec().name); }},
    {"description",   [](Reader& r, const json& v) { r.text(v, r.spec().description); }},
    {"owner",         [](Reader& r, const json& v) { r.text(v, r.spec().owner); }},
    {"role",          [](Reader& r, const json& v) { r.text(v, r.spec().role); }},
    {"command",       [](Reader& r, const json& v) { r.text(v, r.spec().command.value); }},
    {"argv",          [](Reader& r, const json& v) { read_argv(r, v); }},
    {"cpus",          [](Reader& r, const json& v) { r.amount(v, "cpus", false, false); }},
    {"mem",           [](Reader& r, const json& v) { r.amount(v, "mem", true, false); }},
    {"disk",          [](Reader& r, const json& v) { r.amount(v, "disk", true, true); }},
    {"gpus",          [](Reader& r, const json& v) { r.amount(v, "gpus", false, true); }},
    {"ports",         [](Reader& r, const json& v) { r.amount(v, "ports", false, true); }},
    {"env",           [](Reader& r, const json& v) { r.pairs(v, r.spec().command.environment); }},
    {"workdir",       [](Reader& r, const json& v) {
       r.text(v, r.spec().command.working_directory); }},
    {"fetch",         [](Reader& r, const json& v) { read_fetch(r, v); }},
    {"image",         [](Reader& r, const json& v) { r.text(v, r.spec().image); }},
    {"constraints_like", [](Reader& r, const json& v) { read_patterns(r, v, false); }},
    {"constraints_unlike", [](Reader& r, const json& v) { read_patterns(r, v, true); }},
    {"user",          [](Reader& r, const json& v) { r.text(v, r.spec().command.user); }},
    {"priority",      [](Reader& r, const json& v) {
       r.whole(v, r.spec().priority, -1'000'000, 1'000'000); }},
    {"retries",       [](Reader& r, const json& v) { r.whole(v, r.spec().retries, 0, 1000); }},
    {"retry_delay",   [](Reader& r, const json& v) { r.span(v, r.spec().retry_delay); }},
    {"time",          [](Reader& r, const json& v) { r.span(v, r.spec().time_limit); }},
    {"kill_grace",    [](Reader& r, const json& v) { r.span(v, r.spec().kill_grace); }},
    {"after_ok",      [](Reader& r, const json& v) { r.parents(v, EdgeKind::ok); }},
    {"after_any",     [](Reader& r, const json& v) { r.parents(v, EdgeKind::any); }},
    {"after_notok",   [](Reader& r, const json& v) { r.parents(v, EdgeKind::not_ok); }},
    {"after_start",   [](Reader& r, const json& v) { r.parents(v, EdgeKind::start); }},
    {"on_dependency_failed", [](Reader& r, const json& v) {
       r.choice(v, r.spec().on_dependency_failed,
                {OnDependencyFailed::cancel, OnDependencyFailed::hold,
                 OnDependencyFailed::run}); }},
    {"lost",          [](Reader& r, const json& v) {
       r.choice(v, r.spec().lost, {LostPolicy::wait, LostPolicy::fence, LostPolicy::rerun}); }},
    {"fence_after",   [](Reader& r, const json& v) { r.span(v, r.spec().fence_after); }},
    {"constraints",   [](Reader& r, const json& v) { r.pairs(v, r.spec().constraints); }},
    {"labels",        [](Reader& r, const json& v) { r.pairs(v, r.spec().labels); }},
    {"after_corr",    [](Reader& r, const json& v) { r.parents(v, EdgeKind::corresponding); }},
    {"array",         [](Reader& r, const json& v) { read_array(r, v); }},
    {"hold",          [](Reader& r, const json& v) { r.flag(v, r.spec().hold); }},
};
// clang-format on

}  // namespace

std::vector<std::string_view> job_field_names() {
  std::vector<std::string_view> names;
  for (const Field& field : fields) names.push_back(field.name);
  return names;
}

std::string unknown_field(std::string_view given, const std::vector<std::string_view>& known) {
  std::string_view nearest;
  std::size_t distance = given.size() / 2 + 1;
  if (given.size() <= 64) {
    for (const std::string_view name : known) {
      const std::size_t d = edit_distance(given, name);
      if (d < distance) {
        distance = d;
        nearest = name;
      }
    }
  }
  std::string text = "unknown field '" + std::string(given.substr(0, 64)) + "'";
  if (!nearest.empty()) text += "; did you mean '" + std::string(nearest) + "'?";
  return text;
}

void check_api_version(const json& value, std::vector<FieldError>& errors) {
  if (value == "librm/v1") return;
  errors.push_back({"/apiVersion", "expected \"librm/v1\", got " + shown(value)});
}

JobSpec read_job(const json& object, const std::string& path, bool partial,
                 std::vector<FieldError>& errors) {
  JobSpec spec;
  Reader reader(spec, errors);
  reader.at(path);
  if (!object.is_object()) {
    reader.expected("a job object", object);
    return spec;
  }
  for (const auto& [key, value] : object.items()) {
    reader.at(pointer(path, key));
    const std::string& name = key;
    const auto field = std::find_if(std::begin(fields), std::end(fields),
                                    [&](const Field& f) { return f.name == name; });
    if (field == std::end(fields)) {
      reader.wrong(unknown_field(key, job_field_names()));
    } else {
      field->read(reader, value);
    }
  }
  const bool shell = object.contains("command");
  if (shell && object.contains("argv")) {
    reader.at(pointer(path, "argv"));
    reader.wrong("give either command (for a shell) or argv (a program and its arguments)");
  } else if (!shell && !object.contains("argv") && !partial) {
    reader.at(path);
    reader.wrong("there is no command; give \"command\" or \"argv\"");
  }
  return spec;
}

}  // namespace batch
