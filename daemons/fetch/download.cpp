// libcurl's easy interface with everything off that a task's file does not need.
#include "fetch/download.hpp"

#include <curl/curl.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cctype>
#include <cerrno>
#include <memory>
#include <optional>
#include <string>

namespace librm::fetch {
namespace {

constexpr const char* protocols = "http,https,ftp";

/// Takes bytes until there are too many.
struct Sink {
  const Descriptor& file;
  std::uint64_t bytes_max;
  std::uint64_t size = 0;
  std::optional<Error> error;

  bool take(const char* data, std::size_t count) {
    if (count > bytes_max - size) {
      error =
          Error{ErrorCode::resource_exhausted, "more than " + std::to_string(bytes_max) + " bytes"};
      return false;
    }
    if (auto ok = write_all(file, data, count, "file"); !ok) {
      error = ok.error();
      return false;
    }
    size += count;
    return true;
  }
};

std::size_t on_bytes(char* data, std::size_t one, std::size_t count, void* sink) {
  return static_cast<Sink*>(sink)->take(data, one * count) ? one * count : 0;
}

/// In the middle of our sentence.
std::string lower_first(std::string text) {
  if (text.size() > 1 && std::islower(static_cast<unsigned char>(text[1])) != 0) {
    text[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(text[0])));
  }
  return text;
}

std::string reason_of(CURL* curl, CURLcode code, const char* details,
                      const DownloadLimits& limits) {
  long number = 0;
  switch (code) {
    case CURLE_HTTP_RETURNED_ERROR:
      ::curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &number);
      return "the server answered " + std::to_string(number);
    case CURLE_COULDNT_CONNECT:
      ::curl_easy_getinfo(curl, CURLINFO_OS_ERRNO, &number);
      if (number != 0) return lower_first(shepherd::errno_text(static_cast<int>(number)));
      break;
    case CURLE_TOO_MANY_REDIRECTS:
      return "more than " + std::to_string(limits.redirects_max) + " redirects";
    case CURLE_FILESIZE_EXCEEDED:
      return "more than " + std::to_string(limits.bytes_max) + " bytes";
    default:
      break;
  }
  return lower_first(details[0] != '\0' ? details : ::curl_easy_strerror(code));
}

/// Where it failed, if that is not where it began.
std::string redirected(CURL* curl, const Source& source) {
  char* url = nullptr;
  long redirects = 0;
  ::curl_easy_getinfo(curl, CURLINFO_REDIRECT_COUNT, &redirects);
  ::curl_easy_getinfo(curl, CURLINFO_EFFECTIVE_URL, &url);
  if (redirects == 0 || url == nullptr || source.location == url) return {};
  return ", redirected to " + shown(url);
}

Result<std::uint64_t> from_network(const Source& source, const Descriptor& file,
                                   const DownloadLimits& limits) {
  if (::curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
    return fail(ErrorCode::io_error, "libcurl cannot be used");
  }
  const std::unique_ptr<CURL, void (*)(CURL*)> curl(::curl_easy_init(), ::curl_easy_cleanup);
  if (!curl) return fail(ErrorCode::io_error, "libcurl cannot be used");
  std::array<char, CURL_ERROR_SIZE> details{};
  Sink sink{file, limits.bytes_max, 0, std::nullopt};
  CURL* handle = curl.get();
  ::curl_easy_setopt(handle, CURLOPT_URL, source.location.c_str());
  ::curl_easy_setopt(handle, CURLOPT_PROTOCOLS_STR, protocols);
  ::curl_easy_setopt(handle, CURLOPT_REDIR_PROTOCOLS_STR, protocols);
  ::curl_easy_setopt(handle, CURLOPT_FOLLOWLOCATION, 1L);
  ::curl_easy_setopt(handle, CURLOPT_MAXREDIRS, limits.redirects_max);
  ::curl_easy_setopt(handle, CURLOPT_FAILONERROR, 1L);
  ::curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
  ::curl_easy_setopt(handle, CURLOPT_USERAGENT, "rm-fetch");
  ::curl_easy_setopt(handle, CURLOPT_CONNECTTIMEOUT, limits.connect_timeout_s);
  ::curl_easy_setopt(handle, CURLOPT_LOW_SPEED_LIMIT, 1L);
  ::curl_easy_setopt(handle, CURLOPT_LOW_SPEED_TIME, limits.stall_timeout_s);
  ::curl_easy_setopt(handle, CURLOPT_MAXFILESIZE_LARGE, static_cast<curl_off_t>(limits.bytes_max));
  ::curl_easy_setopt(handle, CURLOPT_ERRORBUFFER, details.data());
  ::curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, on_bytes);
  ::curl_easy_setopt(handle, CURLOPT_WRITEDATA, &sink);
  const CURLcode code = ::curl_easy_perform(handle);
  if (sink.error) return tl::unexpected<Error>(*sink.error);
  if (code != CURLE_OK) {
    return fail(ErrorCode::unavailable,
                reason_of(handle, code, details.data(), limits) + redirected(handle, source));
  }
  return sink.size;
}

Result<std::uint64_t> from_file(const Source& source, const Descriptor& file,
                                const DownloadLimits& limits) {
  // Without O_NONBLOCK a pipe would be waited for before it can be seen to be one.
  const Descriptor from(
      ::open(source.location.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
  struct stat status {};
  if (!from || ::fstat(from.get(), &status) != 0) {
    return fail(ErrorCode::not_found, lower_first(shepherd::errno_text(errno)));
  }
  if (!S_ISREG(status.st_mode)) {
    return fail(ErrorCode::permission_denied, "not a regular file");
  }
  Sink sink{file, limits.bytes_max, 0, std::nullopt};
  std::array<char, 256u << 10> buffer;
  for (;;) {
    const ssize_t got = ::read(from.get(), buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail(ErrorCode::io_error, lower_first(shepherd::errno_text(errno)));
    if (got == 0) return sink.size;
    if (!sink.take(buffer.data(), static_cast<std::size_t>(got))) {
      return tl::unexpected<Error>(*sink.error);
    }
  }
}

}  // namespace

Result<std::uint64_t> download(const Source& source, const Descriptor& file,
                               const DownloadLimits& limits) {
  return source.is_file ? from_file(source, file, limits) : from_network(source, file, limits);
}

}  // namespace librm::fetch
