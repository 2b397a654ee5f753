#include "core/hub/digest.h"

#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <memory>
#include <vector>

#include "core/error.h"
#include "core/io/descriptor.h"

namespace plumb::hub {
namespace {

void check(int status) {
  if (status != 1) throw Error("the library OpenSSL cannot compute checksums", Exit::failed);
}

std::string hex_of(const unsigned char* bytes, unsigned count) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string hex;
  for (unsigned i = 0; i < count; ++i) {
    hex += kDigits[bytes[i] >> 4];
    hex += kDigits[bytes[i] & 15];
  }
  return hex;
}

}  // namespace

std::string digest_of_file(const std::string& path, DigestKind kind) {
  const files::Descriptor file = files::open_regular(path);
  const std::uint64_t size = files::size_of(file, path);
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(),
                                                                        EVP_MD_CTX_free);
  check(EVP_DigestInit_ex(context.get(), kind == DigestKind::sha256 ? EVP_sha256() : EVP_sha1(),
                          nullptr));
  if (kind == DigestKind::git_blob) {
    const std::string header = "blob " + std::to_string(size);
    check(EVP_DigestUpdate(context.get(), header.c_str(), header.size() + 1));
  }
  constexpr std::uint64_t kPiece = std::uint64_t{1} << 20;
  std::vector<char> piece(std::min(size, kPiece));
  for (std::uint64_t at = 0; at < size; at += kPiece) {
    const std::size_t count = std::min(kPiece, size - at);
    files::read_exactly(file, path, at, piece.data(), count);
    check(EVP_DigestUpdate(context.get(), piece.data(), count));
  }
  std::array<unsigned char, EVP_MAX_MD_SIZE> bytes;
  unsigned count = 0;
  check(EVP_DigestFinal_ex(context.get(), bytes.data(), &count));
  return hex_of(bytes.data(), count);
}

Digest digest_from_etag(const std::string& etag) {
  std::string hex = etag;
  if (hex.starts_with("W/")) hex.erase(0, 2);
  if (hex.size() >= 2 && hex.front() == '"' && hex.back() == '"') {
    hex = hex.substr(1, hex.size() - 2);
  }
  constexpr std::size_t kSha256Digits = 64, kSha1Digits = 40;
  const bool is_hex = hex.find_first_not_of("0123456789abcdef") == std::string::npos;
  if (is_hex && hex.size() == kSha256Digits) return {DigestKind::sha256, hex};
  if (is_hex && hex.size() == kSha1Digits) return {DigestKind::git_blob, hex};
  return {};
}

}  // namespace plumb::hub
