// One file after the other, each under what is left of the limits.
#include "fetch/fetcher.hpp"

#include <sys/stat.h>

#include "fetch/download.hpp"
#include "fetch/unpack.hpp"

namespace librm::fetch {
namespace {

tl::unexpected<Error> blame(const std::string& subject, const Error& error) {
  return fail(error.code, subject + ": " + error.message);
}

}  // namespace

Result<void> Fetcher::run(const shepherd::FetchPlan& plan) {
  std::vector<Task> tasks;
  for (const Fetch& file : plan.files) {
    Result<Task> task = plan_task(file);
    if (!task) return tl::unexpected<Error>(task.error());
    tasks.push_back(std::move(*task));
  }
  for (const Task& task : tasks) {
    if (auto ok = fetch(task); !ok) return ok;
  }
  return {};
}

Result<void> Fetcher::fetch(const Task& task) {
  const Result<Descriptor> directory = sandbox_.directory_of(task.parts);
  if (!directory) return blame(task.shown, directory.error());
  const Result<Descriptor> file = create_file(*directory, task.parts.back());
  if (!file) return blame(task.shown, file.error());
  DownloadLimits limits;
  limits.bytes_max = bytes_max_ - fetched_;
  const Result<std::uint64_t> size = download(task.source, *file, limits);
  if (!size) return blame(task.shown, size.error());
  fetched_ += *size;
  if (task.executable && ::fchmod(file->get(), 0755) != 0) {
    return shepherd::fail_errno(task.parts.back());
  }
  progress_.push_back("fetched " + task.shown + ", " + std::to_string(*size) + " bytes");
  return unpack(task, *file, *directory);
}

Result<void> Fetcher::unpack(const Task& task, const Descriptor& file,
                             const Descriptor& directory) {
  if (task.packing == Packing::none) return {};
  const std::string name = task.parts.back();
  const std::string subject = shepherd::printable(name);
  UnpackLimits limits;
  limits.bytes_max = bytes_max_ - unpacked_;
  Result<std::uint64_t> size;
  if (task.packing == Packing::archive) {
    size = unpack_archive(file, directory, task.parts.size() == 1, limits);
  } else {
    const Result<Descriptor> to = create_file(directory, name.substr(0, name.size() - 3));
    if (!to) return blame(subject, to.error());
    size = unpack_gzip(file, *to, limits);
  }
  if (!size) return blame(subject, size.error());
  unpacked_ += *size;
  progress_.push_back("unpacked " + subject + ", " + std::to_string(*size) + " bytes");
  return {};
}

}  // namespace librm::fetch
