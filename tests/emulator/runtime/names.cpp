#include "runtime/names.h"

#include <dlfcn.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <map>
#include <sstream>
#include <vector>

namespace emulator {
namespace {

// Functions and places in the source in turn, from the innermost inlined function outwards; empty if unknown.
using Frames = std::vector<std::string>;

std::string hexadecimal(const void* address) {
  std::ostringstream text;
  text << address;
  return text.str();
}

// Asks addr2line, which came with the compiler. Static functions are in no table that dladdr reads.
Frames look_up(const void* address) {
  Dl_info library;
  if (dladdr(address, &library) == 0 || library.dli_fname == nullptr) {
    return {};
  }
  const auto offset = reinterpret_cast<uintptr_t>(address) - reinterpret_cast<uintptr_t>(library.dli_fbase);
  std::ostringstream command;
  command << "env -u LD_PRELOAD addr2line -ifCe '" << library.dli_fname << "' 0x" << std::hex << offset
          << " 2>/dev/null";
  FILE* output = popen(command.str().c_str(), "r");
  if (output == nullptr) {
    return {};
  }
  Frames frames;
  char text[4096];
  while (std::fgets(text, sizeof text, output) != nullptr && text[0] != '?') {
    frames.emplace_back(text);
    frames.back().erase(frames.back().find_last_not_of('\n') + 1);
  }
  pclose(output);
  return frames;
}

void erase_all(std::string& text, const std::string& part) {
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part)) {
    text.erase(at, part.size());
  }
}

// Without result, namespaces and parameters.
std::string short_function(std::string name) {
  erase_all(name, "(anonymous namespace)::");
  name.erase(std::min(name.find('('), name.size()));
  const size_t arguments = std::min(name.find('<'), name.size());
  size_t begin = 0;
  for (const char* separator : {"::", " "}) {
    const size_t at = name.rfind(separator, arguments);
    begin = at == std::string::npos ? begin : std::max(begin, at + std::string(separator).size());
  }
  return name.substr(begin);
}

// Of the innermost function that is not the emulator's, and of the outermost one.
std::string line_of(const void* return_address) {
  const Frames frames = look_up(static_cast<const char*>(return_address) - 1);
  std::vector<std::string> lines;
  for (size_t i = 1; i < frames.size(); i += 2) {
    if (frames[i].find("/emulator/include/") == std::string::npos) {
      lines.push_back(short_path(frames[i].substr(0, frames[i].find(' '))));
    }
  }
  if (lines.empty()) {
    return hexadecimal(return_address);
  }
  return lines.size() == 1 ? lines[0] : lines.front() + " in " + lines.back();
}

}  // namespace

std::string kernel_name(const void* kernel) {
  static std::map<const void*, std::string> known;
  std::string& name = known[kernel];
  if (name.empty()) {
    const Frames frames = look_up(kernel);  // the outermost function; the first instruction may be an inlined one's
    name = frames.size() < 2 ? hexadecimal(kernel) : short_function(frames[frames.size() - 2]);
  }
  return name;
}

std::string source_line(const void* return_address) {
  static std::map<const void*, std::string> known;
  std::string& line = known[return_address];
  if (line.empty()) {
    line = line_of(return_address);
  }
  return line;
}

std::string short_path(const std::string& path) {
  const size_t name = path.rfind('/');
  const size_t folder = name == std::string::npos || name == 0 ? std::string::npos : path.rfind('/', name - 1);
  return folder == std::string::npos ? path : path.substr(folder + 1);
}

}  // namespace emulator
