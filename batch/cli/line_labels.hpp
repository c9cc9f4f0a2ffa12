// Several outputs on one terminal: whole lines, each behind the label of its source.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "log_stream.hpp"

namespace batch::cli {

/// Gathers the bytes of one source and passes on whole lines, each behind `label`, so that lines of
/// several sources do not mix. A line of more than `line_bytes_max` is passed on in pieces.
class LabelledLines {
 public:
  static constexpr std::size_t line_bytes_max = 64 << 10;

  LabelledLines(std::string label, Sink sink) : label_(std::move(label)), sink_(std::move(sink)) {}

  /// False where nobody reads any more.
  bool take(std::string_view bytes);
  /// The source is over: a last line without its end gets one.
  bool finish();

 private:
  std::string label_;
  Sink sink_;
  std::string begun_;  ///< a line whose end has not come
};

/// One label each, all equally wide: names that are unique as they are, others with `ids`.
std::vector<std::string> labels_for(const std::vector<std::string>& names,
                                    const std::vector<std::string>& ids);

}  // namespace batch::cli
