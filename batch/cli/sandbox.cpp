// `rmctl sandbox`: the files that a job's tasks work with, wherever they are.
#include <CLI/CLI.hpp>
#include <memory>

#include "sandbox_files.hpp"
#include "table.hpp"
#include "verb.hpp"

namespace batch::cli {

using librm::Error;
using librm::ErrorCode;
using librm::fail;
using librm::Result;

namespace {

struct ListOptions {
  std::string place;
  std::uint32_t attempt = 0;
};

std::string type_letter(const std::string& type) {
  return type == "directory" ? "d" : type == "link" ? "l" : type == "file" ? "-" : "?";
}

std::string shown_name(const Terminal& terminal, const SandboxEntry& entry) {
  const std::string name = escape(entry.name);
  if (entry.type == "directory") return paint(terminal, "1;34", name);
  if (entry.type == "link") return paint(terminal, "36", name);
  if (entry.type != "file") return paint(terminal, "33", name);
  return entry.mode.find('x') == entry.mode.npos ? name : paint(terminal, "32", name);
}

std::string render(const Context& context, const std::vector<SandboxEntry>& entries) {
  if (context.names()) {
    std::string text;
    for (const SandboxEntry& entry : entries) text += escape(entry.name) + '\n';
    return text;
  }
  Table table({{"MODE"}, {"SIZE", true}, {"MODIFIED"}, {"NAME", false, true}});
  for (const SandboxEntry& entry : entries) {
    table.add({type_letter(entry.type) + escape(entry.mode), std::to_string(entry.size),
               escape(entry.modified), shown_name(context.out, entry)});
  }
  return table.render(context.out, !context.no_headers);
}

/// A file, found in the list of its directory; `problem` where there is none.
Result<Json> list_file(const Sandbox& sandbox, const std::string& path, const Error& problem) {
  const std::size_t slash = path.rfind('/');
  const std::string name = slash == path.npos ? path : path.substr(slash + 1);
  auto listing = sandbox.list(slash == path.npos ? "" : path.substr(0, slash));
  if (!listing) return tl::unexpected(problem);
  for (const Json& entry : member(*listing, "entries")) {
    if (text_of(entry, "name") != name) continue;
    Json found = entry;
    (*listing)["entries"] = Json::array({std::move(found)});
    (*listing)["truncated"] = false;
    return listing;
  }
  return tl::unexpected(problem);
}

Result<int> list(const Context& context, const ListOptions& options) {
  auto master = Master::find(context.master_flag);
  if (!master) return tl::unexpected(master.error());
  const SandboxPlace place = parse_place(options.place);
  const auto sandbox = Sandbox::find(*master, place.job, options.attempt);
  if (!sandbox) return tl::unexpected(sandbox.error());
  auto listing = sandbox->list(place.path);
  if (!listing && listing.error().code == ErrorCode::not_found && !place.path.empty()) {
    listing = list_file(*sandbox, place.path, listing.error());
  }
  if (!listing) return tl::unexpected(listing.error());
  context.print(context.json() ? pretty(*listing) : render(context, Sandbox::entries_of(*listing)));
  if (member(*listing, "truncated") == true) {
    context.note(shown(place) + ": there are more entries than are listed");
  }
  return 0;
}

}  // namespace

const std::vector<Verb>& sandbox_verbs() {
  static const std::vector<Verb> all{
      {"sandbox ls", "[OPTIONS] JOB[:PATH]", "lists a directory of a job's sandbox",
       "JOB is a selector as everywhere; PATH is below the sandbox, which is the directory that "
       "the "
       "job's task started in.",
       define_sandbox_ls},
      {"sandbox cat", "[OPTIONS] JOB:PATH...", "prints files of a job's sandbox", "",
       define_sandbox_cat},
      {"sandbox tail", "[OPTIONS] JOB:PATH", "prints the end of a file of a job's sandbox",
       "With -f it goes on until the job is over, also while the agent is restarted.",
       define_sandbox_tail},
      {"sandbox cp", "[OPTIONS] JOB:PATH DEST", "copies files out of a job's sandbox",
       "Into DEST if that is a directory, else under that name. Permissions are kept. Each file "
       "appears complete or not at all, and nothing is written outside of DEST: a link that stands "
       "there is replaced or refused, never followed. Links in the sandbox are copied as the files "
       "that they lead to; what cannot be copied is named, and the exit code is 1 then.",
       define_sandbox_cp},
  };
  return all;
}

Action define_sandbox_ls(CLI::App& app, Context& context) {
  const auto options = std::make_shared<ListOptions>();
  app.add_option("place", options->place, "a job, and a directory or file")
      ->type_name("JOB[:PATH]")
      ->required();
  define_attempt(app, options->attempt);
  return [options, &context] { return list(context, *options); };
}

}  // namespace batch::cli
