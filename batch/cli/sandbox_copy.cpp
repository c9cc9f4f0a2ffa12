// `rmctl sandbox cp`: one file, or a directory with all that is in it.
#include <sys/stat.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>

#include "copy_target.hpp"
#include "sandbox_files.hpp"
#include "verb.hpp"

namespace batch::cli {

using librm::Error;
using librm::ErrorCode;
using librm::fail;
using librm::Result;

namespace {

struct CopyOptions {
  std::string place;
  std::string target;
  std::uint32_t attempt = 0;
  bool recursive = false;
};

/// Of a link, whose own say nothing.
constexpr unsigned link_mode = 0644;
/// Deeper than a path can be; a descriptor is open for each.
constexpr int depth_max = 200;

bool is_directory(const std::string& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode);
}

/// The last segment; `rest` gets what stands before it.
std::string last_segment(const std::string& path, std::string& rest) {
  const std::size_t slash = path.rfind('/');
  rest = slash == path.npos ? "" : path.substr(0, slash);
  return slash == path.npos ? path : path.substr(slash + 1);
}

class Copy {
 public:
  Copy(const Context& context, Master& master, const Sandbox& sandbox)
      : context_(context), master_(master), sandbox_(sandbox) {}

  Result<void> file(const CopyTarget& target, const std::string& name, const std::string& path,
                    unsigned mode) const {
    return target.file(name, mode, [&](const Sink& sink) {
      LogStream stream(master_, sandbox_.source(path, 0, false), sink);
      return drain(master_, sandbox_.job(), stream);
    });
  }

  /// What is in `path`, to what is in `target`. Fails only where nothing could be listed.
  Result<void> directory(const CopyTarget& target, const std::string& path, int depth) {
    const auto listing = sandbox_.list(path);
    if (!listing) return tl::unexpected(listing.error());
    for (const SandboxEntry& entry : Sandbox::entries_of(*listing)) {
      const std::string below = path.empty() ? entry.name : path + '/' + entry.name;
      if (auto copied = one(target, entry, below, depth); !copied) {
        leave_out(copied.error().message);
      }
    }
    if (member(*listing, "truncated") == true)
      leave_out(label(path) + "it has more entries than are listed");
    return {};
  }

  bool complete() const { return complete_; }

 private:
  Result<void> one(const CopyTarget& target, const SandboxEntry& entry, const std::string& path,
                   int depth) {
    if (entry.type == "file") return file(target, entry.name, path, parse_mode(entry.mode));
    if (entry.type == "link") return file(target, entry.name, path, link_mode);
    if (entry.type != "directory")
      return fail(ErrorCode::unsupported, label(path) + "a pipe, socket or device");
    if (depth == depth_max) return fail(ErrorCode::unsupported, label(path) + "too deep");
    const auto inner = target.directory(entry.name);
    if (!inner) return tl::unexpected(inner.error());
    if (auto copied = directory(*inner, path, depth + 1); !copied) return copied;
    return inner->set_mode(parse_mode(entry.mode));
  }

  std::string label(const std::string& path) const {
    return shown(SandboxPlace{sandbox_.job(), path}) + ": ";
  }

  void leave_out(const std::string& what) {
    complete_ = false;
    context_.note("not copied: " + what);
  }

  const Context& context_;
  Master& master_;
  const Sandbox& sandbox_;
  bool complete_ = true;
};

/// Its own entry in the list of its directory, for its permissions.
Result<SandboxEntry> entry_of(const Sandbox& sandbox, const std::string& path) {
  std::string parent;
  const std::string name = last_segment(path, parent);
  const auto listing = sandbox.list(parent);
  if (!listing) return tl::unexpected(listing.error());
  for (const SandboxEntry& entry : Sandbox::entries_of(*listing)) {
    if (entry.name == name) return entry;
  }
  return fail(ErrorCode::not_found, shown({sandbox.job(), path}) + ": no such file");
}

/// The open directory that something is written into, and its name there.
Result<std::pair<CopyTarget, std::string>> split_target(const std::string& target,
                                                        const std::string& name) {
  std::string directory = target;
  std::string own = name;
  if (!is_directory(target)) {
    if (target.ends_with('/')) {
      return fail(ErrorCode::invalid_argument, escape(target) + ": no such directory");
    }
    own = last_segment(target, directory);
    if (directory.empty()) directory = target.starts_with('/') ? "/" : ".";
  }
  auto opened = CopyTarget::open(directory);
  if (!opened) return tl::unexpected(opened.error());
  return std::pair<CopyTarget, std::string>{std::move(*opened), std::move(own)};
}

/// The whole sandbox goes into the target itself, which is made if it is not there.
Result<int> copy_all(Copy& copy, const std::string& target) {
  auto into = is_directory(target) ? CopyTarget::open(target) : [&]() -> Result<CopyTarget> {
    const auto at = split_target(target, "");
    if (!at) return tl::unexpected(at.error());
    return at->first.directory(at->second);
  }();
  if (!into) return tl::unexpected(into.error());
  if (auto copied = copy.directory(*into, "", 0); !copied) return tl::unexpected(copied.error());
  return copy.complete() ? 0 : 1;
}

Result<int> copy_entry(Copy& copy, const SandboxEntry& entry, const std::string& path,
                       const std::string& target) {
  const auto at = split_target(target, entry.name);
  if (!at) return tl::unexpected(at.error());
  if (entry.type != "directory") {
    const unsigned mode = entry.type == "link" ? link_mode : parse_mode(entry.mode);
    auto copied = copy.file(at->first, at->second, path, mode);
    if (!copied) return tl::unexpected(copied.error());
    return 0;
  }
  const auto into = at->first.directory(at->second);
  if (!into) return tl::unexpected(into.error());
  if (auto copied = copy.directory(*into, path, 0); !copied) return tl::unexpected(copied.error());
  if (auto set = into->set_mode(parse_mode(entry.mode)); !set) return tl::unexpected(set.error());
  return copy.complete() ? 0 : 1;
}

Result<int> copy(const Context& context, const CopyOptions& options) {
  auto master = Master::find(context.master_flag);
  if (!master) return tl::unexpected(master.error());
  const SandboxPlace place = parse_place(options.place);
  const auto sandbox = Sandbox::find(*master, place.job, options.attempt);
  if (!sandbox) return tl::unexpected(sandbox.error());
  Copy copying(context, *master, *sandbox);
  const bool all = place.path.empty() || place.path == ".";
  const auto entry = all ? SandboxEntry{"", "directory"} : entry_of(*sandbox, place.path);
  if (!entry) return tl::unexpected(entry.error());
  if (entry->type == "directory" && !options.recursive) {
    return fail(ErrorCode::invalid_argument, shown(place) + ": a directory; -r copies it");
  }
  return all ? copy_all(copying, options.target)
             : copy_entry(copying, *entry, place.path, options.target);
}

}  // namespace

Action define_sandbox_cp(CLI::App& app, Context& context) {
  const auto options = std::make_shared<CopyOptions>();
  app.add_option("place", options->place, "a job and what to copy of its sandbox")
      ->type_name("JOB:PATH")
      ->required();
  app.add_option("target", options->target, "a directory, or the copy's own name")
      ->type_name("DEST")
      ->required();
  app.add_flag("-r,--recursive", options->recursive, "directories with all that is in them");
  define_attempt(app, options->attempt);
  return [options, &context] { return copy(context, *options); };
}

}  // namespace batch::cli
