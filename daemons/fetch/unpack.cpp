// libarchive's own checks are on besides ours: they look at the file system, ours at the names.
#include "fetch/unpack.hpp"

#include <archive.h>
#include <archive_entry.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <utility>

#include "shepherd/fetch_plan.hpp"

namespace librm::fetch {
namespace {

constexpr std::size_t block_bytes = 256u << 10;

using Reader = std::unique_ptr<archive, int (*)(archive*)>;
using Writer = std::unique_ptr<archive, int (*)(archive*)>;

/// Owner, exact mode, ACLs, attributes and flags of an archive are left out by not asking for them.
constexpr int disk_flags = ARCHIVE_EXTRACT_TIME | ARCHIVE_EXTRACT_SECURE_SYMLINKS |
                           ARCHIVE_EXTRACT_SECURE_NODOTDOT | ARCHIVE_EXTRACT_SECURE_NOABSOLUTEPATHS;

tl::unexpected<Error> fail_archive(archive* from, const std::string& subject) {
  const char* text = ::archive_error_string(from);
  return fail(ErrorCode::corrupt, (subject.empty() ? "" : subject + ": ") +
                                      shepherd::printable(text != nullptr ? text : "is damaged"));
}

Result<std::uint64_t> size_of(const Descriptor& file) {
  struct stat status {};
  if (::fstat(file.get(), &status) != 0) return shepherd::fail_errno("archive");
  return static_cast<std::uint64_t>(status.st_size);
}

Result<Reader> open_archive(const Descriptor& file, bool one_gzip_file) {
  Reader reader(::archive_read_new(), ::archive_read_free);
  if (one_gzip_file) {
    ::archive_read_support_format_raw(reader.get());
    ::archive_read_support_filter_gzip(reader.get());
  } else {
    ::archive_read_support_format_tar(reader.get());
    ::archive_read_support_format_zip(reader.get());
    ::archive_read_support_filter_gzip(reader.get());
    ::archive_read_support_filter_bzip2(reader.get());
    ::archive_read_support_filter_xz(reader.get());
  }
  if (::lseek(file.get(), 0, SEEK_SET) != 0) return shepherd::fail_errno("archive");
  if (::archive_read_open_fd(reader.get(), file.get(), block_bytes) != ARCHIVE_OK) {
    return fail_archive(reader.get(), "");
  }
  return reader;
}

EntryKind kind_of(archive_entry* entry) {
  if (::archive_entry_hardlink(entry) != nullptr) return EntryKind::hard_link;
  switch (::archive_entry_filetype(entry)) {
    case AE_IFREG:
      return EntryKind::file;
    case AE_IFDIR:
      return EntryKind::directory;
    case AE_IFLNK:
      return EntryKind::symbolic_link;
    default:
      return EntryKind::other;
  }
}

std::string text_of(const char* text) { return text != nullptr ? text : ""; }

Entry describe(archive_entry* entry) {
  Entry out;
  out.kind = kind_of(entry);
  out.path = text_of(::archive_entry_pathname(entry));
  out.mode = static_cast<unsigned>(::archive_entry_perm(entry));
  if (out.kind == EntryKind::hard_link) out.target = text_of(::archive_entry_hardlink(entry));
  if (out.kind == EntryKind::symbolic_link) out.target = text_of(::archive_entry_symlink(entry));
  return out;
}

/// One archive on its way to the disk.
class Unpacking {
 public:
  Unpacking(Reader reader, UnpackLimits limits, bool at_top, std::uint64_t packed)
      : reader_(std::move(reader)),
        disk_(::archive_write_disk_new(), ::archive_write_free),
        rules_(limits, at_top),
        packed_(packed) {
    ::archive_write_disk_set_options(disk_.get(), disk_flags);
  }

  Result<std::uint64_t> run() {
    for (;;) {
      archive_entry* entry = nullptr;
      const int read = ::archive_read_next_header(reader_.get(), &entry);
      if (read == ARCHIVE_EOF) break;
      if (read < ARCHIVE_WARN) return fail_archive(reader_.get(), "");
      if (auto ok = take(entry); !ok) return tl::unexpected<Error>(ok.error());
    }
    // Modes and times of directories are set at the end.
    if (::archive_write_close(disk_.get()) < ARCHIVE_WARN) return fail_archive(disk_.get(), "");
    return unpacked_;
  }

 private:
  Result<void> take(archive_entry* entry) {
    const Entry described = describe(entry);
    const Result<std::string> path = rules_.check(described);
    if (!path) return tl::unexpected<Error>(path.error());
    if (path->empty()) return {};
    ::archive_entry_set_pathname(entry, path->c_str());
    ::archive_entry_set_perm(entry, safe_mode(described.kind, described.mode));
    subject_ = "entry " + shepherd::printable(*path);
    if (::archive_write_header(disk_.get(), entry) < ARCHIVE_WARN) {
      return fail_archive(disk_.get(), subject_);
    }
    if (auto ok = copy(); !ok) return ok;
    if (::archive_write_finish_entry(disk_.get()) < ARCHIVE_WARN) {
      return fail_archive(disk_.get(), subject_);
    }
    return {};
  }

  Result<void> copy() {
    for (;;) {
      const void* data = nullptr;
      std::size_t size = 0;
      la_int64_t offset = 0;
      const int read = ::archive_read_data_block(reader_.get(), &data, &size, &offset);
      if (read == ARCHIVE_EOF) return {};
      if (read < ARCHIVE_WARN) return fail_archive(reader_.get(), subject_);
      unpacked_ += size;
      if (auto ok = rules_.check_size(unpacked_, packed_); !ok) return ok;
      if (::archive_write_data_block(disk_.get(), data, size, offset) < ARCHIVE_WARN) {
        return fail_archive(disk_.get(), subject_);
      }
    }
  }

  Reader reader_;
  Writer disk_;
  ArchiveRules rules_;
  std::uint64_t packed_;
  std::uint64_t unpacked_ = 0;
  std::string subject_;
};

}  // namespace

Result<std::uint64_t> unpack_archive(const Descriptor& file, const Descriptor& directory,
                                     bool at_top, const UnpackLimits& limits) {
  const Result<std::uint64_t> packed = size_of(file);
  if (!packed) return packed;
  Result<Reader> reader = open_archive(file, false);
  if (!reader) return tl::unexpected<Error>(reader.error());
  if (::fchdir(directory.get()) != 0) return shepherd::fail_errno("directory");
  return Unpacking(std::move(*reader), limits, at_top, *packed).run();
}

Result<std::uint64_t> unpack_gzip(const Descriptor& packed, const Descriptor& to,
                                  const UnpackLimits& limits) {
  const Result<std::uint64_t> packed_size = size_of(packed);
  if (!packed_size) return packed_size;
  Result<Reader> reader = open_archive(packed, true);
  if (!reader) return tl::unexpected<Error>(reader.error());
  archive_entry* entry = nullptr;
  // The raw format takes anything; only the filter tells a packed file from another.
  if (::archive_read_next_header(reader->get(), &entry) < ARCHIVE_WARN ||
      ::archive_filter_code(reader->get(), 0) != ARCHIVE_FILTER_GZIP) {
    return fail(ErrorCode::corrupt, "is not packed with gzip");
  }
  const ArchiveRules rules(limits, false);
  std::uint64_t unpacked = 0;
  for (;;) {
    const void* data = nullptr;
    std::size_t size = 0;
    la_int64_t offset = 0;
    const int read = ::archive_read_data_block(reader->get(), &data, &size, &offset);
    if (read == ARCHIVE_EOF) return unpacked;
    if (read < ARCHIVE_WARN) return fail_archive(reader->get(), "");
    unpacked += size;
    if (auto ok = rules.check_size(unpacked, *packed_size); !ok) {
      return tl::unexpected<Error>(ok.error());
    }
    if (auto ok = write_all(to, static_cast<const char*>(data), size, "file"); !ok) {
      return tl::unexpected<Error>(ok.error());
    }
  }
}

}  // namespace librm::fetch
