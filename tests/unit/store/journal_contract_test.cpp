// The journals that need no server keep the contract.
#include "unit/store/journal_contract.hpp"

#include <cstdlib>
#include <filesystem>

#include "librm/store/memory_journal.hpp"
#include "librm/store/sqlite_journal.hpp"

namespace librm::test {
namespace {

class MemoryStore {
 public:
  Journal& open() { return journal_; }
  void settle() { journal_.sync(); }
  void close() {
    journal_.sync();
    journal_.crash();
  }
  bool available() const { return true; }

 private:
  MemoryJournal journal_;
};

class SqliteStore {
 public:
  SqliteStore() {
    char name[] = "/tmp/librm-contract-XXXXXX";
    if (mkdtemp(name) == nullptr) std::abort();
    directory_ = name;
  }
  ~SqliteStore() {
    close();
    std::filesystem::remove_all(directory_);
  }
  Journal& open() {
    SqliteJournalOptions options;
    options.path = directory_ + "/journal.db";
    journal_ = SqliteJournal::open(options).value();
    return *journal_;
  }
  void settle() {}
  void close() { journal_.reset(); }
  bool available() const { return true; }

 private:
  std::string directory_;
  std::unique_ptr<SqliteJournal> journal_;
};

INSTANTIATE_TYPED_TEST_SUITE_P(Memory, JournalContract, MemoryStore);
INSTANTIATE_TYPED_TEST_SUITE_P(Sqlite, JournalContract, SqliteStore);

}  // namespace
}  // namespace librm::test
