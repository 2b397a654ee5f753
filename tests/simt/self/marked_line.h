// Finds the line of a file that carries a mark, `<name>`.
#pragma once
#include <gtest/gtest.h>

#include <fstream>
#include <string>

namespace plumb::simt {

inline int marked_line(const std::string& file, const std::string& mark) {
  std::ifstream in("tests/simt/self/" + file);
  std::string text;
  for (int line = 1; std::getline(in, text); ++line) {
    if (text.find("<" + mark + ">") != std::string::npos) {
      return line;
    }
  }
  ADD_FAILURE() << "no line of " << file << " carries <" << mark << ">";
  return -1;
}

}  // namespace plumb::simt
