// `rmctl schedule expand`: when an expression is due, without a cluster.
#include <CLI/CLI.hpp>
#include <charconv>
#include <chrono>
#include <memory>

#include "batch/edge/time_zones.hpp"
#include "batch/schedule/expression.hpp"
#include "json_view.hpp"
#include "text.hpp"
#include "verb.hpp"

namespace batch::cli {

using librm::ErrorCode;
using librm::fail;
using librm::Result;

namespace {

constexpr std::uint32_t count_max = 10'000;

struct ExpandOptions {
  std::string expression;
  std::string zone;
  std::uint32_t count = 5;
};

librm::WallTime now() {
  const auto since = std::chrono::system_clock::now().time_since_epoch();
  return {std::chrono::duration_cast<std::chrono::nanoseconds>(since).count()};
}

std::string rfc3339(librm::WallTime time) { return to_string(LocalTime{time.ns}) + 'Z'; }

/// The position that `at 14: ...` names, from 0.
std::optional<std::size_t> position_of(std::string_view message) {
  constexpr std::string_view at = "at ";
  if (!message.starts_with(at)) return std::nullopt;
  message.remove_prefix(at.size());
  std::size_t position = 0;
  const auto parsed = std::from_chars(message.data(), message.data() + message.size(), position);
  if (parsed.ec != std::errc() || position == 0) return std::nullopt;
  return position - 1;
}

/// The message, the expression, and a mark under what is wrong with it.
std::string pointed_out(const Terminal& terminal, const std::string& message,
                        const std::string& expression) {
  const auto position = position_of(message);
  if (!position || *position > expression.size()) return message;
  const std::string_view before = std::string_view(expression).substr(0, *position);
  const std::string indent(display_width(escape(before)), ' ');
  return message + '\n' + escape(expression) + '\n' + indent + paint(terminal, "1;31", "^");
}

Result<void> check_zone(const std::string& zone) {
  if (zone.empty() || system_time_zones().knows(zone)) return {};
  const auto meant = nearest(zone, system_time_zone_names());
  return fail(ErrorCode::invalid_argument, "--tz: no time zone '" + escape(zone) + "' is known" +
                                               (meant ? "; did you mean '" + *meant + "'?"
                                                      : "; names are such as Europe/Paris"));
}

Result<int> expand(const Context& context, const ExpandOptions& options) {
  if (auto known = check_zone(options.zone); !known) return tl::unexpected(known.error());
  const auto expression = parse_schedule(options.expression);
  if (!expression) {
    return fail(expression.error().code,
                pointed_out(context.err, expression.error().message, options.expression));
  }
  if (expression->offset && !options.zone.empty()) {
    context.note("warning: the zone " + options.zone +
                 " overrides the offset in the expression; its clock shows the start as written");
  }
  const TimeZones& zones = options.zone.empty() ? utc_only() : system_time_zones();
  const auto started = with_start(*expression, now(), options.zone, zones);
  if (!started) return tl::unexpected(started.error());
  const auto all = Occurrences::make(*started, options.zone, zones);
  if (!all) return tl::unexpected(all.error());

  Json list = Json::array();
  std::string lines;
  auto next = all->from(0);
  if (!next) context.note("it is never due");
  for (std::uint32_t i = 0; i < options.count && next; ++i) {
    if (context.json()) {
      list.push_back({{"index", next->index}, {"at", rfc3339(next->at)}});
    } else {
      lines += rfc3339(next->at) + '\n';
    }
    next = all->from(next->index + 1);
  }
  if (context.json()) {
    lines = pretty({{"expression", to_string(*started)},
                    {"timezone", options.zone},
                    {"occurrences", std::move(list)}});
  }
  context.print(lines);
  return 0;
}

}  // namespace

Action define_schedule_expand(CLI::App& app, Context& context) {
  const auto options = std::make_shared<ExpandOptions>();
  app.add_option("expression", options->expression, "such as R5/2026-01-31T02:00:00Z/P1M")
      ->type_name("EXPRESSION")
      ->required();
  app.add_option("--tz", options->zone,
                 "the zone of whose clock on the wall it speaks, such as Europe/Paris")
      ->type_name("ZONE");
  app.add_option("-n,--count", options->count, "at most so many; 5 if not given")
      ->type_name("N")
      ->check(CLI::Range(std::uint32_t{1}, count_max));
  return [options, &context] { return expand(context, *options); };
}

}  // namespace batch::cli
