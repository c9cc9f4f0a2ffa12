// `rmctl journal`: what is in the files in which masters and agents keep their state.
#include <CLI/CLI.hpp>
#include <memory>
#include <string>

#include "journal_program.hpp"
#include "journal_view.hpp"
#include "verb.hpp"

namespace batch::cli {

using librm::Result;

const std::vector<Verb>& journal_verbs() {
  static const std::vector<Verb> all{
      {"journal check", "[OPTIONS] FILE",
       "reads a journal or a backup through, and says what is lost",
       "FILE is a master's master.db, an agent's agent.db, or what 'rmctl backup' wrote. Every "
       "row's "
       "checksum is compared, the numbers of all records (LSN) must follow each other, and each "
       "record is decoded and replayed as a start would. Nothing is changed. While a master or an "
       "agent has the file open it is read as of one moment, which holds it up in nothing. Exits "
       "with 1 where something is damaged, and names the row, the records and what is lost.",
       define_journal_check},
  };
  return all;
}

Action define_journal_check(CLI::App& app, Context& context) {
  const auto file = std::make_shared<std::string>();
  app.add_option("file", *file, "a journal's file")->type_name("FILE")->required();
  return [&context, file]() -> Result<int> {
    const auto answer = ask_journal_program({"check", *file});
    if (!answer) return tl::unexpected(answer.error());
    if (context.json()) {
      context.print(pretty(answer->json));
    } else if (context.names()) {
      context.print(member(answer->json, "ok") == true ? "sound\n" : "damaged\n");
    } else {
      context.print(describe_journal(context.out, answer->json));
    }
    return answer->code;
  };
}

}  // namespace batch::cli
