// Files below a directory, reached part by part so that no link is ever followed.
#pragma once

#include <string>
#include <vector>

#include "librm/base/result.hpp"
#include "shepherd/descriptor.hpp"

namespace librm::fetch {

using shepherd::Descriptor;

/// What the task has there already may be links; each step refuses them.
class Sandbox {
 public:
  static Result<Sandbox> open(const std::string& path);

  /// The directory of all parts but the last; what is missing is made.
  Result<Descriptor> directory_of(const std::vector<std::string>& parts) const;

 private:
  explicit Sandbox(Descriptor root) : root_(std::move(root)) {}
  Descriptor root_;
};

/// A new, empty file for writing and reading, in place of a file or link of that name, which is
/// removed and not written to.
Result<Descriptor> create_file(const Descriptor& directory, const std::string& name);

Result<void> write_all(const Descriptor& file, const char* data, std::size_t size,
                       const std::string& name);

}  // namespace librm::fetch
