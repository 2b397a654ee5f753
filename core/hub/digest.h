// The checksums by which the hub names files: SHA-256 of what LFS keeps, git's SHA-1 of the rest.
#pragma once
#include <cstdint>
#include <string>

namespace plumb::hub {

enum class DigestKind { sha256, git_blob };

// Lower-case hex: 64 or 40 digits.
struct Digest {
  DigestKind kind = DigestKind::sha256;
  std::string hex;
};

// Of a whole file, read in pieces. git_blob: SHA-1 of "blob SIZE\0" and the bytes.
std::string digest_of_file(const std::string& path, DigestKind kind);

// What a text of 64 or 40 hexadecimal digits names; an empty hex otherwise.
Digest digest_from_etag(const std::string& etag);

}  // namespace plumb::hub
