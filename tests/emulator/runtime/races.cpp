#include "runtime/races.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <set>
#include <unordered_map>
#include <utility>
#include <vector>

#include "runtime/fibre.h"
#include "runtime/names.h"
#include "runtime/shared_memory.h"

namespace emulator::races {
namespace {

constexpr unsigned kWarp = 32;
constexpr size_t kReported = 5;

struct Access {
  uint32_t interval = 0;  // from one barrier of one block to the next; 0: there was no access
  uint32_t block = 0;
  uint32_t time = 0;  // of the thread's warp clock
  uint32_t thread = 0;
  const void* where = nullptr;

  explicit operator bool() const {
    return interval != 0;
  }
  unsigned warp() const {
    return thread / kWarp;
  }
};

// As many accesses of one kind as it takes to know whether any earlier one conflicts with a new one.
struct History {
  Access blocks[2];  // by two blocks, if there are two
  Access recent[2];  // of the last interval: by two warps, if there are two; else by the last two lanes

  void add(const Access& access) {
    if (!blocks[0]) {
      blocks[0] = access;
    } else if (!blocks[1] && blocks[0].block != access.block) {
      blocks[1] = access;
    }
    if (recent[0].interval != access.interval) {
      recent[0] = access;
      recent[1] = {};
      return;
    }
    const bool two_warps = recent[1] && recent[1].warp() != recent[0].warp();
    const bool keeps_second = two_warps ? access.warp() == recent[0].warp() : access.thread == recent[0].thread;
    if (!keeps_second) {
      recent[1] = recent[0];
    }
    recent[0] = access;
  }
};

using Cell = std::array<History, 3>;  // of an address, by Kind

// Four bytes have one cell together until a smaller access splits it.
struct Word {
  Cell whole;
  std::unique_ptr<std::array<Cell, 4>> bytes;
};

constexpr size_t kWordBytes = 4;
constexpr size_t kPageWords = 64;
using Page = std::array<Word, kPageWords>;

struct Race {
  bool shared;
  Kind earlier_kind, kind;
  Access earlier, access;
};

struct Detector {
  bool launched = false;
  bool running = false;  // kernel code
  Access now;            // who, and when
  unsigned interval = 0;
  std::unordered_map<uintptr_t, std::unique_ptr<Page>> pages;
  uintptr_t last_number = 0;
  Page* last_page = nullptr;
  // clocks[a][b]: up to when lane a knows what lane b of its warp did. An access is ordered before one by lane a if it
  // was made at a time that a knows of.
  std::vector<std::array<uint32_t, kWarp>> clocks;
  std::vector<Race> races;
  std::set<std::pair<const void*, const void*>> places;
};

bool is_compiled_in = false;
Detector detector;

Word& word_at(uintptr_t address) {
  const uintptr_t number = address / (kWordBytes * kPageWords);
  if (detector.last_page == nullptr || detector.last_number != number) {
    std::unique_ptr<Page>& page = detector.pages[number];
    if (!page) {
      page = std::make_unique<Page>();
    }
    detector.last_page = page.get();
    detector.last_number = number;
  }
  return (*detector.last_page)[address / kWordBytes % kPageWords];
}

bool ordered(const Access& earlier, const Access& now) {
  if (earlier.block != now.block) {
    return false;
  }
  if (earlier.interval != now.interval || earlier.thread == now.thread) {
    return true;
  }
  return earlier.warp() == now.warp() && detector.clocks[now.thread][earlier.thread % kWarp] >= earlier.time;
}

void report(bool shared, Kind earlier_kind, const Access& earlier, Kind kind, const Access& access) {
  if (detector.places.insert(std::minmax(earlier.where, access.where)).second && detector.races.size() < 100) {
    detector.races.push_back({shared, earlier_kind, kind, earlier, access});
  }
}

void note_in(Cell& cell, bool shared, Kind kind, const Access& access) {
  for (Kind other : {read, write, atomic}) {
    if (kind == other && kind != write) {
      continue;
    }
    const History& history = cell[other];
    for (const Access& earlier : history.recent) {
      if (earlier && earlier.block == access.block && !ordered(earlier, access)) {
        report(shared, other, earlier, kind, access);
      }
    }
    for (const Access& earlier : history.blocks) {
      if (!shared && earlier && earlier.block != access.block) {
        report(shared, other, earlier, kind, access);
      }
    }
  }
  cell[kind].add(access);
}

void note_in(Word& word, unsigned offset, unsigned size, bool shared, Kind kind, const Access& access) {
  if (size == kWordBytes && !word.bytes) {
    note_in(word.whole, shared, kind, access);
    return;
  }
  if (!word.bytes) {
    word.bytes = std::make_unique<std::array<Cell, 4>>();
    word.bytes->fill(word.whole);
  }
  for (unsigned byte = offset; byte < offset + size; ++byte) {
    note_in((*word.bytes)[byte], shared, kind, access);
  }
}

const char* name(Kind kind) {
  return kind == read ? "reads" : kind == write ? "writes" : "changes atomically";
}

std::string in_words(Kind kind, const Access& access) {
  return "thread " + std::to_string(access.thread) + " of block " + std::to_string(access.block) + " " + name(kind) +
         " (" + source_line(access.where) + ")";
}

}  // namespace

bool compiled_in() {
  return is_compiled_in;
}

void note_compiled_in() {
  is_compiled_in = true;
}

void begin_launch() {
  detector = {};
  detector.launched = is_compiled_in;
}

void begin_block(unsigned block) {
  if (detector.launched) {
    detector.now.block = block;
    end_interval();
    detector.clocks.assign(1024, {});
    for (unsigned thread = 0; thread < detector.clocks.size(); ++thread) {
      detector.clocks[thread][thread % kWarp] = 1;
    }
  }
}

void end_interval() {
  detector.now.interval = ++detector.interval;
}

void sync_lanes(unsigned warp, unsigned members) {
  if (!detector.launched) {
    return;
  }
  std::array<uint32_t, kWarp> all = {};
  for (unsigned lane = 0; lane < kWarp; ++lane) {
    if (members >> lane & 1) {
      const auto& clock = detector.clocks[warp * kWarp + lane];
      std::transform(
          clock.begin(), clock.end(), all.begin(), all.begin(), [](auto a, auto b) { return a > b ? a : b; });
    }
  }
  for (unsigned lane = 0; lane < kWarp; ++lane) {
    if (members >> lane & 1) {
      auto& clock = detector.clocks[warp * kWarp + lane];
      clock = all;
      ++clock[lane];
    }
  }
}

void enter(unsigned thread) {
  detector.now.thread = thread;
  detector.running = detector.launched;
}

void leave() {
  detector.running = false;
}

std::string end_launch() {
  leave();
  std::string text;
  const size_t count = std::min(detector.races.size(), kReported);
  for (size_t i = 0; i < count; ++i) {
    const Race& race = detector.races[i];
    text += (text.empty() ? "race in " : "; in ") + std::string(race.shared ? "shared" : "global") +
            " memory: " + in_words(race.earlier_kind, race.earlier) + ", " + in_words(race.kind, race.access) +
            ", and nothing orders them";
  }
  if (detector.races.size() > count) {
    text += "; and " + std::to_string(detector.races.size() - count) + " more pairs of places";
  }
  detector = {};
  return text;
}

void note(Kind kind, const void* address, size_t size, const void* return_address) {
  if (!detector.running || Fibre::on_a_stack(address)) {
    return;
  }
  detector.running = false;  // while the detector's own copies are made
  Access access = detector.now;
  access.time = detector.clocks[access.thread][access.thread % kWarp];
  access.where = return_address;
  const bool shared = is_shared(address);
  uintptr_t at = reinterpret_cast<uintptr_t>(address);
  const uintptr_t end = at + size;
  while (at < end) {
    const unsigned offset = at % kWordBytes;
    const unsigned part = static_cast<unsigned>(std::min<uintptr_t>(kWordBytes - offset, end - at));
    note_in(word_at(at), offset, part, shared, kind, access);
    at += part;
  }
  detector.running = true;
}

}  // namespace emulator::races
