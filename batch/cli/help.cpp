// `rmctl help`, and the manual page made from the same table.
#include <CLI/CLI.hpp>
#include <memory>

#include "option_text.hpp"
#include "text.hpp"
#include "verb.hpp"

namespace batch::cli {

using librm::ErrorCode;
using librm::fail;
using librm::Result;

namespace {

Result<int> help(const Context& context, const std::vector<std::string>& words) {
  if (words.empty()) {
    context.print(overview());
    return 0;
  }
  std::string name;
  for (const std::string& word : words) name += (name.empty() ? "" : " ") + word;
  const Verb* verb = find_verb(name);
  if (verb == nullptr) return fail(ErrorCode::invalid_argument, "no such verb: " + escape(name));
  if (verb->verbs != nullptr) {
    context.print(group_help(*verb));
    return 0;
  }
  CLI::App app;
  Context unused;
  define_common(app, unused);
  const Action action = verb->define(app, unused);
  context.print(verb_help(*verb, app));
  return 0;
}

/// Text as roff takes it: no line is a request, no hyphen becomes another sign.
std::string roff(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '\\')
      out += "\\e";
    else if (c == '-')
      out += "\\-";
    else
      out += c;
  }
  if (out.starts_with('.') || out.starts_with('\'')) out.insert(0, "\\&");
  return out;
}

std::string roff_option(const CLI::Option& option) {
  const bool positional = option.get_positional();
  std::string names;
  if (positional) {
    names = "\\fI" + roff(value_name(option)) + "\\fR";
  } else {
    for (const std::string& name : split(option.get_name(false, true), ',')) {
      names += (names.empty() ? "" : ", ") + std::string("\\fB") + roff(name) + "\\fR";
    }
    if (takes_value(option)) names += " \\fI" + roff(value_name(option)) + "\\fR";
  }
  return ".TP\n" + names + '\n' + roff(option.get_description()) + ".\n";
}

std::string roff_options(CLI::App& app, bool everywhere) {
  std::string text;
  for (const CLI::Option* option : app.get_options()) {
    if ((option->get_group() == "Everywhere") == everywhere) text += roff_option(*option);
  }
  return text;
}

std::string roff_verbs(const std::vector<Verb>& list) {
  std::string text;
  for (const Verb& verb : list) {
    if (verb.hidden) continue;
    if (verb.verbs != nullptr) {
      text += roff_verbs(verb.verbs());
      continue;
    }
    CLI::App app;
    Context unused;
    define_common(app, unused);
    const Action action = verb.define(app, unused);
    text += ".SS \"rmctl " + std::string(verb.name) + ' ' + roff(verb.synopsis) + "\"\n" +
            roff(verb.summary) + ".\n";
    if (!verb.details.empty()) text += ".PP\n" + roff(verb.details) + '\n';
    text += roff_options(app, false);
  }
  return text;
}

constexpr const char* selectors_and_codes = R"(.SH SELECTORS
.TP
\fB42\fR
the job with that id
.TP
\fB40\-45\fR
the jobs with these ids
.TP
\fBlast\fR, \fBlast\-2\fR
the job that was submitted last, and the one two before it
.TP
\fIname\fR
the live job of that name, else the latest that ended
.TP
\fB42_7\fR, \fB42[3,7\-9]\fR
elements of an array
.TP
\fBtrain*\fR, \fBname=train*\fR, \fBstate=failed,cancelled\fR, \fBowner=ann\fR, \fBlabel.team=red\fR
all jobs of which that is so, in the states that the verb is about unless a state is named; terms
joined by commas must all be so: \fBtrain*,state=failed\fR
.TP
\fBall\fR
all jobs that the verb is about
.PP
A selector that selects nothing is an error.
.SH EXIT STATUS
.TP
\fB0\fR
done
.TP
\fB1\fR
failed
.TP
\fB2\fR
wrong usage, or the master calls the request wrong
.TP
\fB3\fR
not found
.TP
\fB4\fR
denied, or more than there is
.TP
\fB5\fR
no master answers
.TP
\fB6\fR
timed out
.PP
\fBrun\fR, \fBwait\fR and \fBsubmit \-\-wait\fR exit with the highest code of their jobs, or 128 + the
number of the signal that killed one.
.SH ENVIRONMENT
.TP
\fBRM_MASTER\fR
the master's address; of several masters all addresses with commas between, or where they elect
their leader: zk://HOST:PORT,HOST:PORT/PATH, or file:///FILE that holds such a text
.TP
\fBNO_COLOR\fR
where set, output has no colours
.SH EXAMPLES
.nf
rmctl dev \-\-nodes 4
rmctl run \-\- hostname
id=$(rmctl submit \-c 2 \-\-mem 1G \-t 30 \-\- make \-j2)
rmctl submit \-\-after\-ok "$id" \-\- make install
rmctl wait \-\-timeout 1h "$id"
.fi
)";

std::string manual() {
  std::string text =
      ".\\\" Made by 'rmctl __man'; change the option tables instead.\n"
      ".TH RMCTL 1 \"\" \"librm " RM_VERSION
      "\" \"User commands\"\n"
      ".SH NAME\nrmctl \\- submits jobs to a cluster, and shows what becomes of them and why\n"
      ".SH SYNOPSIS\n\\fBrmctl\\fR \\fIVERB\\fR [\\fIOPTIONS\\fR] ...\n.SH VERBS\n";
  text += roff_verbs(verbs());
  CLI::App app;
  Context unused;
  define_common(app, unused);
  return text + ".SH OPTIONS OF ALL VERBS\n" + roff_options(app, true) + selectors_and_codes;
}

}  // namespace

Action define_help(CLI::App& app, Context& context) {
  const auto words = std::make_shared<std::vector<std::string>>();
  app.add_option("verb", *words, "of this verb")->type_name("VERB");
  return [words, &context] { return help(context, *words); };
}

Action define_man(CLI::App&, Context& context) {
  return [&context]() -> Result<int> {
    context.print(manual());
    return 0;
  };
}

}  // namespace batch::cli
