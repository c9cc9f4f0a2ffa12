// The format of the write-ahead log: https://www.sqlite.org/fileformat2.html#walformat
#include "wal_check.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>
#include <vector>

namespace librm::store_detail {
namespace {

constexpr std::size_t header_size = 32;
constexpr std::size_t frame_header_size = 24;
constexpr std::uint32_t magic = 0x377f0682;  // with its lowest bit: checksums over big-endian words
constexpr std::uint32_t page_size_min = 512;
constexpr std::uint32_t page_size_max = 65'536;

std::uint32_t load_big(const unsigned char* p) {
  return std::uint32_t{p[0]} << 24 | std::uint32_t{p[1]} << 16 | std::uint32_t{p[2]} << 8 | p[3];
}
std::uint32_t load_little(const unsigned char* p) {
  return std::uint32_t{p[3]} << 24 | std::uint32_t{p[2]} << 16 | std::uint32_t{p[1]} << 8 | p[0];
}

/// The running checksum over what is written, from frame to frame.
struct Sum {
  std::uint32_t a = 0;
  std::uint32_t b = 0;
  bool operator==(const Sum&) const = default;

  void add(const unsigned char* data, std::size_t size, bool big) {
    for (std::size_t i = 0; i + 8 <= size; i += 8) {
      a += (big ? load_big(data + i) : load_little(data + i)) + b;
      b += (big ? load_big(data + i + 4) : load_little(data + i + 4)) + a;
    }
  }
};

class File {
 public:
  explicit File(const std::string& path) : fd_(::open(path.c_str(), O_RDONLY | O_CLOEXEC)) {}
  ~File() {
    if (fd_ >= 0) ::close(fd_);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  bool is_open() const { return fd_ >= 0; }
  std::uint64_t size() const {
    const off_t end = ::lseek(fd_, 0, SEEK_END);
    return end < 0 ? 0 : static_cast<std::uint64_t>(end);
  }
  bool read(std::uint64_t at, unsigned char* data, std::size_t size) const {
    while (size > 0) {
      const ssize_t got = ::pread(fd_, data, size, static_cast<off_t>(at));
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0) return false;
      data += got;
      at += static_cast<std::uint64_t>(got);
      size -= static_cast<std::size_t>(got);
    }
    return true;
  }

 private:
  int fd_;
};

}  // namespace

Result<WalCheck> check_wal(const std::string& path) {
  WalCheck result;
  const File file(path);
  if (!file.is_open()) {
    if (errno == ENOENT) return result;
    return fail(ErrorCode::io_error, path + ": " + std::strerror(errno));
  }
  result.bytes = file.size();
  std::array<unsigned char, header_size> header{};
  // Nothing was committed before a whole header and frame.
  if (result.bytes < header_size + frame_header_size + page_size_min) return result;
  if (!file.read(0, header.data(), header.size())) {
    return fail(ErrorCode::io_error, path + ": " + std::strerror(errno));
  }
  const std::uint32_t first = load_big(header.data());
  const bool big = (first & 1) != 0;
  const std::uint32_t page_size = load_big(header.data() + 8);
  Sum sum;
  sum.add(header.data(), 24, big);
  if ((first & ~1u) != magic || sum != Sum{load_big(&header[24]), load_big(&header[28])} ||
      page_size < page_size_min || page_size > page_size_max ||
      (page_size & (page_size - 1)) != 0) {
    result.header_damaged = true;
    return result;
  }
  const std::size_t frame_size = frame_header_size + page_size;
  std::vector<unsigned char> frame(frame_size);
  std::uint64_t seen_since_commit = 0;
  std::uint64_t commits_behind = 0;
  bool frames_behind_commit = false;
  for (std::uint64_t number = 1;; ++number) {
    const std::uint64_t at = header_size + (number - 1) * frame_size;
    if (at + frame_size > result.bytes || !file.read(at, frame.data(), frame_size)) break;
    // Frames of earlier generations stay behind the end of this one.
    const bool ours = std::memcmp(&frame[8], &header[16], 8) == 0 && load_big(frame.data()) != 0;
    const bool ends_commit = load_big(&frame[4]) != 0;
    if (result.bad_frame == 0) {
      Sum next = sum;
      next.add(frame.data(), 8, big);
      next.add(frame.data() + frame_header_size, page_size, big);
      if (ours && next == Sum{load_big(&frame[16]), load_big(&frame[20])}) {
        sum = next;
        ++seen_since_commit;
        if (ends_commit) {
          ++result.commits;
          result.frames += std::exchange(seen_since_commit, 0);
        }
        continue;
      }
      result.bad_frame = number;
      if (ours && ends_commit) ++commits_behind;
      continue;
    }
    if (!ours) continue;
    if (commits_behind > 0) frames_behind_commit = true;
    if (ends_commit) ++commits_behind;
  }
  // The first is the torn commit's own end, if that was reached; what follows came after it.
  if (frames_behind_commit) result.commits_cut = commits_behind > 1 ? commits_behind - 1 : 1;
  if (result.bad_frame != 0 && commits_behind == 0) result.bad_frame = 0;  // an old generation's
  return result;
}

}  // namespace librm::store_detail
