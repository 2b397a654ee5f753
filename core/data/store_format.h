// The header that stands before the HDF5 part of a store, shared by its reader and its writer.
#pragma once
#include <cstddef>
#include <string>

namespace plumb {

// The number counts the formats, and whatever changes the tokens made from the same key.
inline constexpr const char* kStoreMagic = "plumb data store 1\n";
inline constexpr std::size_t kStoreHeaderBytes = 512;  // the smallest user block of HDF5
inline constexpr std::size_t kSpanFields = 4;

std::string store_header(const std::string& key, const std::string& hash);
std::string hash_after_header(const std::string& path);

}  // namespace plumb
