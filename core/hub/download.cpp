#include "core/hub/download.h"

#include <charconv>
#include <filesystem>
#include <optional>

#include "core/error.h"
#include "core/hub/failures.h"
#include "core/hub/http.h"
#include "core/hub/url.h"
#include "core/io/file_moves.h"
#include "core/io/files.h"
#include "core/log.h"

namespace plumb::hub {
namespace {

std::string url_of(const std::string& path, const Download& download) {
  return download.settings.endpoint + "/" + escape_path(download.reference.repo) + "/resolve/" +
         download.commit + "/" + escape_path(path);
}

std::string name_of(const RemoteFile& file, const Download& download) {
  return download.reference.text() + ": " + file.path;
}

std::optional<std::uint64_t> number(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::string header(const Headers& headers, const std::string& name) {
  const auto found = headers.find(name);
  return found == headers.end() ? "" : found->second;
}

std::uint64_t size_on_disk(const std::string& path) {
  std::error_code none;
  const std::uintmax_t size = std::filesystem::file_size(path, none);
  return none ? 0 : size;
}

// Takes what arrives and appends it to the incomplete file.
class PartWriter {
 public:
  PartWriter(const RemoteFile& file, const Download& download)
      : file_(file), download_(download), path_(download.cache.incomplete(file.digest.hex)) {
    have_ = size_on_disk(path_);
    if (have_ > *file_.size) have_ = 0;
    began_at_ = have_;
  }

  std::uint64_t have() const { return have_; }
  std::uint64_t came() const { return have_ - began_at_; }
  bool is_whole() const { return have_ == *file_.size; }

  void on_headers(const Response& response) {
    if (response.status == 200) start_anew();  // a server that knows no ranges sends all of it
    if (response.status == 206) check_range(header(response.headers, "content-range"));
    const auto announced = number(header(response.headers, "content-length"));
    if (announced && have_ + *announced != *file_.size) {
      throw Error(name_of(file_, download_) + ": the server announces " +
                  std::to_string(have_ + *announced) + " bytes, its list of files says " +
                  std::to_string(*file_.size) +
                  ": the answer of a proxy or login page, or a broken server");
    }
    log_ = files::AppendLog::open_at(path_, have_);
  }

  void on_body(std::string_view bytes) {
    if (bytes.size() > *file_.size - have_) {
      throw Error(name_of(file_, download_) + ": the server sends more than the " +
                  std::to_string(*file_.size) + " bytes that its list of files gives");
    }
    log_->append(bytes);
    have_ += bytes.size();
    download_.progress.add(static_cast<std::int64_t>(bytes.size()));
  }

  void make_empty() {
    start_anew();
    log_ = files::AppendLog::open_at(path_, 0);
  }

  void close() { log_.reset(); }

  void throw_away() {
    close();
    files::remove_tree(path_);
    start_anew();
  }

 private:
  void start_anew() {
    download_.progress.add(-static_cast<std::int64_t>(have_));
    have_ = 0;
    began_at_ = 0;
  }

  // "bytes 100-199/200"
  void check_range(const std::string& range) {
    const std::string wanted = "bytes " + std::to_string(have_) + "-";
    const std::size_t slash = range.find('/');
    const bool is_from_here = range.starts_with(wanted) && slash != std::string::npos;
    const std::string total = is_from_here ? range.substr(slash + 1) : "";
    if (is_from_here && (total == "*" || number(total) == file_.size)) return;
    throw_away();
    throw TryAgain("asked for bytes from " + wanted.substr(6) + ", the server sends '" +
                   range.substr(0, 80) + "'; beginning anew");
  }

  const RemoteFile& file_;
  const Download& download_;
  std::string path_;
  std::uint64_t have_ = 0;
  std::uint64_t began_at_ = 0;
  std::optional<files::AppendLog> log_;
};

void attempt(const RemoteFile& file, const Download& download, PartWriter& part) {
  // A few bytes must not count as progress: a server may send them for ever.
  constexpr std::uint64_t kProgressBytes = 64 * 1024;
  const std::uint64_t before = part.have();
  const BodyReader reader{[&](const Response& response) { part.on_headers(response); },
                          [&](std::string_view bytes) { part.on_body(bytes); }};
  std::string lost = "the answer ended";
  try {
    const Response response =
        get({.url = url_of(file.path, download), .from = before}, download.settings, reader);
    part.close();
    constexpr long kRangeNotSatisfiable = 416;
    if (response.status == kRangeNotSatisfiable && before > 0) {
      part.throw_away();
      throw TryAgain("the server does not go on from byte " + std::to_string(before) +
                     "; beginning anew");
    }
    if (response.status != 200 && response.status != 206) {
      fail_with_status(response, download.reference, file.path, download.settings);
    }
    if (part.is_whole()) return;
  } catch (const TransportFailure& failure) {
    part.close();
    lost = failure.what();
  }
  if (part.is_whole()) return;
  throw TryAgain(
      lost + " at byte " + std::to_string(part.have()) + " of " + std::to_string(*file.size),
      std::nullopt, part.have() >= before + kProgressBytes);
}

void fill(const RemoteFile& file, const Download& download, PartWriter& part) {
  if (*file.size == 0) return part.make_empty(), part.close();
  if (part.is_whole()) return;
  with_retries(download.settings, name_of(file, download), [&] {
    try {
      attempt(file, download, part);
    } catch (...) {
      part.close();
      download.progress.clear();  // what follows is written to the same terminal
      throw;
    }
  });
}

void fill_and_check(const RemoteFile& file, const Download& download) {
  const std::string path = download.cache.incomplete(file.digest.hex);
  PartWriter part(file, download);
  const bool went_on = part.have() > 0;
  download.progress.skip(static_cast<std::int64_t>(part.have()));
  fill(file, download, part);
  std::string found = digest_of_file(path, file.digest.kind);
  if (found != file.digest.hex && went_on) {
    download.progress.clear();
    log::warning("hub: " + name_of(file, download) +
                 ": the part from an earlier download was damaged; beginning anew");
    part.throw_away();
    fill(file, download, part);
    found = digest_of_file(path, file.digest.kind);
  }
  if (found == file.digest.hex) return;
  part.throw_away();
  throw Error(name_of(file, download) + ": what arrived has the checksum " + found +
              ", the hub's list of files says " + file.digest.hex +
              ": it was changed on the way or the server is broken; it was thrown away");
}

}  // namespace

RemoteFile with_metadata(const RemoteFile& file, const Download& download) {
  if (file.size && !file.digest.hex.empty()) return file;
  RemoteFile known = file;
  with_retries(download.settings, name_of(file, download), [&] {
    const Response response =
        get({.url = url_of(file.path, download), .only_headers = true}, download.settings, {});
    constexpr long kFirstError = 400;
    if (response.status >= kFirstError) {
      fail_with_status(response, download.reference, file.path, download.settings);
    }
    const std::string linked = header(response.headers, "x-linked-etag");
    known.digest = digest_from_etag(linked.empty() ? header(response.headers, "etag") : linked);
    const std::string size = header(response.headers, "x-linked-size");
    known.size = number(size.empty() ? header(response.headers, "content-length") : size);
  });
  if (known.digest.hex.empty() || !known.size) {
    throw Error(name_of(file, download) +
                ": the server gives neither in its list of files nor in the headers of the file a "
                "size and a checksum (an ETag of 40 or 64 hexadecimal digits): what it sends "
                "cannot be checked");
  }
  return known;
}

void fetch_file(const RemoteFile& file, const Download& download) {
  const RepoCache& cache = download.cache;
  const std::string& hash = file.digest.hex;
  const FileLock lock(cache.lock(hash));
  if (!files::exists(cache.blob(hash)) || size_on_disk(cache.blob(hash)) != *file.size) {
    download.progress.start_file(file.path);
    fill_and_check(file, download);
    files::move_into_place(cache.incomplete(hash), cache.blob(hash));
  } else {
    download.progress.skip(static_cast<std::int64_t>(*file.size));
  }
  cache.link(download.commit, file.path, hash);
}

}  // namespace plumb::hub
