// Indices of arrays and selectors of elements: bodies.
#include "batch/array_text.hpp"

#include <algorithm>
#include <vector>

#include "batch/detail/strict_reader.hpp"

namespace batch {

namespace {

using detail::StrictReader;
using librm::Range;
using librm::Ranges;
using librm::Result;

constexpr std::size_t index_digits_max = 10;

bool all_digits(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789") == text.npos;
}

std::uint64_t take_limited(StrictReader& reader, const char* name, std::uint64_t low,
                           std::uint64_t high) {
  const std::size_t position = reader.position();
  const std::uint64_t number = reader.take_number(index_digits_max);
  if (reader.ok() && (number < low || number > high)) {
    reader.wrong(position, std::string(name) + " is from " + std::to_string(low) + " to " +
                               std::to_string(high));
  }
  return number;
}

std::uint64_t take_index(StrictReader& reader) {
  return take_limited(reader, "an index", 0, array_index_max);
}

/// `5`, `5-9` or `5-9:2`.
void take_range(StrictReader& reader, std::vector<Range>& ranges, std::uint64_t& count) {
  const std::size_t position = reader.position();
  const std::uint64_t first = take_index(reader);
  std::uint64_t last = first;
  std::uint64_t step = 1;
  if (reader.take('-')) {
    last = take_index(reader);
    if (reader.ok() && last < first) {
      reader.wrong(position, "a range goes from the lower index to the higher");
    }
    if (reader.take(':')) step = take_limited(reader, "a step", 1, array_index_max);
  }
  if (!reader.ok()) return;
  count += (last - first) / step + 1;
  if (count > array_elements_max) {
    reader.wrong(position,
                 "an array has at most " + std::to_string(array_elements_max) + " elements");
  } else if (step == 1) {
    ranges.push_back({first, last});
  } else {
    for (std::uint64_t index = first; index <= last; index += step) {
      ranges.push_back({index, index});
    }
  }
}

/// Ranges between commas.
Ranges take_ranges(StrictReader& reader) {
  std::vector<Range> ranges;
  std::uint64_t count = 0;
  do {
    take_range(reader, ranges, count);
  } while (reader.take(','));
  return Ranges(std::move(ranges));
}

/// How many from `first` on are single indices at equal distances.
std::size_t series_at(const std::vector<Range>& list, std::size_t first) {
  const auto is_single = [&](std::size_t i) { return list[i].begin == list[i].end; };
  std::size_t next = first;
  while (next < list.size() && is_single(next) &&
         (next < first + 2 ||
          list[next].begin - list[next - 1].begin == list[first + 1].begin - list[first].begin)) {
    ++next;
  }
  return next - first;
}

}  // namespace

std::string indices_text(const Ranges& ranges) {
  const std::vector<Range>& list = ranges.list();
  std::string text;
  for (std::size_t i = 0; i < list.size();) {
    if (i > 0) text += ',';
    text += std::to_string(list[i].begin);
    const std::size_t series = series_at(list, i);
    if (series >= 3) {
      text += '-' + std::to_string(list[i + series - 1].begin) + ':' +
              std::to_string(list[i + 1].begin - list[i].begin);
      i += series;
      continue;
    }
    if (list[i].end != list[i].begin) text += '-' + std::to_string(list[i].end);
    ++i;
  }
  return text;
}

Result<ArraySpec> parse_array(std::string_view text) {
  StrictReader reader(text);
  ArraySpec array;
  array.indices = take_ranges(reader);
  if (reader.take('%')) {
    array.parallel_max = static_cast<std::uint32_t>(
        take_limited(reader, "the number at the same time", 1, array_elements_max));
  }
  reader.expect_end();
  if (!reader.ok()) return reader.error();
  return array;
}

std::string to_string(const ArraySpec& array) {
  std::string text = indices_text(array.indices);
  if (array.parallel_max != 0) text += '%' + std::to_string(array.parallel_max);
  return text;
}

bool names_element(std::string_view text) {
  const std::size_t bar = text.find('_');
  return bar != text.npos && all_digits(text.substr(0, bar)) && all_digits(text.substr(bar + 1));
}

Result<ElementSelector> split_elements(std::string_view text) {
  ElementSelector selector;
  const std::size_t bar = names_element(text) ? text.find('_') : text.npos;
  const std::size_t bracket = bar == text.npos ? text.find('[') : text.npos;
  const std::size_t split = std::min(bar, bracket);
  selector.job = text.substr(0, split);
  if (split == text.npos) return selector;
  StrictReader reader(text);
  reader.skip(split + 1);
  if (bracket != text.npos) {
    selector.elements = take_ranges(reader);
    reader.expect(']');
  } else {
    const std::uint64_t index = take_index(reader);
    selector.elements = Ranges({{index, index}});
  }
  reader.expect_end();
  if (!reader.ok()) return reader.error();
  return selector;
}

std::string to_string(const ElementSelector& selector) {
  if (selector.elements.empty()) return selector.job;
  const std::string indices = indices_text(selector.elements);
  return selector.elements.count() == 1 && all_digits(selector.job)
             ? selector.job + '_' + indices
             : selector.job + '[' + indices + ']';
}

}  // namespace batch
