#include "runtime/block.h"

#include <cstring>
#include <map>
#include <stdexcept>

#include "runtime/names.h"
#include "runtime/races.h"

uint3 threadIdx, blockIdx;
dim3 blockDim, gridDim;

namespace emulator {
namespace {

bool same(const char* a, const char* b) {
  return a == b || std::strcmp(a, b) == 0;
}

bool same(Place a, Place b) {
  return a.line == b.line && same(a.what, b.what) && same(a.file, b.file);
}

std::string in_words(Place place) {
  return std::string(place.what) + " (" + short_path(place.file) + ":" + std::to_string(place.line) + ")";
}

// "0-31, 40" of rising numbers.
std::string ranges(const std::vector<unsigned>& numbers) {
  std::string text;
  for (size_t i = 0; i < numbers.size();) {
    size_t end = i + 1;
    while (end < numbers.size() && numbers[end] == numbers[end - 1] + 1) {
      ++end;
    }
    text += (text.empty() ? "" : ", ") + std::to_string(numbers[i]);
    text += end > i + 1 ? "-" + std::to_string(numbers[end - 1]) : "";
    i = end;
  }
  return text;
}

}  // namespace

Block::Block(unsigned threads, const std::function<void()>& body, Order& order)
    : body_([this, &body] {
        races::enter(running_);
        body();
        races::leave();
      }),
      order_(order), threads_(threads), warps_((threads + kWarpSize - 1) / kWarpSize) {
}

void Block::run() {
  live_ = static_cast<unsigned>(threads_.size());
  warps_.assign(warps_.size(), {});
  released_.clear();
  for (unsigned number = 0; number < live_; ++number) {
    warps_[number / kWarpSize].live |= 1u << number % kWarpSize;
    released_.push_back(number);
  }
  release();
  while (!ready_.empty()) {
    const unsigned number = ready_.front();
    ready_.pop_front();
    run_thread(number);
  }
  if (live_ > 0) {
    throw std::runtime_error("the block hangs: " + who_waits());
  }
}

void Block::run_thread(unsigned number) {
  running_ = number;
  threadIdx = {number % blockDim.x, number / blockDim.x % blockDim.y, number / blockDim.x / blockDim.y};
  Thread& thread = threads_[number];
  try {
    thread.fibre.resume(body_);
  } catch (const std::exception& error) {
    races::leave();
    throw std::runtime_error("thread " + std::to_string(number) + ": " + error.what());
  }
  if (thread.fibre.ended()) {
    end(number);
  }
}

// Whoever waits, no longer waits for this thread.
void Block::end(unsigned number) {
  threads_[number].state = ended;
  --live_;
  const unsigned index = number / kWarpSize;
  Warp& warp = warps_[index];
  warp.live &= ~(1u << number % kWarpSize);
  end_barrier_if_all_wait();
  for (unsigned lane = 0; lane < kWarpSize; ++lane) {
    if (warp.at_collective >> lane & 1) {
      end_collective_if_all_wait(index, threads_[index * kWarpSize + lane].mask);
    }
  }
}

// From the running thread to the scheduler, and back when it is the thread's turn again.
void Block::wait(Thread& thread) {
  thread.fibre.wait();
  races::enter(running_);
}

void Block::release() {
  order_.arrange(released_);
  for (unsigned number : released_) {
    threads_[number].state = ready;
    ready_.push_back(number);
  }
}

// Barriers of the block. Threads that have ended do not count, as on devices since Volta.

Votes Block::meet_block(Place place, bool predicate) {
  races::leave();
  Thread& thread = threads_[running_];
  if (at_barrier_ == 0) {
    barrier_ = place;
  } else if (!same(barrier_, place)) {
    throw std::runtime_error(
        "it comes to " + in_words(place) + " while " + who_waits() + ": not the same barrier for the whole block");
  }
  thread.place = place;
  thread.predicate = predicate;
  thread.state = at_barrier;
  ++at_barrier_;
  end_barrier_if_all_wait();
  wait(thread);
  return thread.votes;
}

void Block::end_barrier_if_all_wait() {
  if (at_barrier_ == 0 || at_barrier_ < live_) {
    return;
  }
  Votes votes = {static_cast<int>(live_), 0};
  released_.clear();
  for (unsigned number = 0; number < threads_.size(); ++number) {
    if (threads_[number].state == at_barrier) {
      released_.push_back(number);
      votes.ayes += threads_[number].predicate;
    }
  }
  for (unsigned number : released_) {
    threads_[number].votes = votes;
  }
  at_barrier_ = 0;
  races::end_interval();
  release();
}

// Collectives of a warp. Lanes that have ended, or never were, do not count.

const Lanes& Block::meet_lanes(Place place, unsigned mask, uint64_t bits) {
  races::leave();
  Thread& thread = threads_[running_];
  const unsigned warp = running_ / kWarpSize;
  if (!(mask >> running_ % kWarpSize & 1)) {
    throw std::runtime_error("it calls " + in_words(place) + " with a mask that does not name its own lane");
  }
  require_same_collective(warp, place, mask);
  thread.place = place;
  thread.mask = mask;
  thread.bits = bits;
  thread.state = at_collective;
  warps_[warp].at_collective |= 1u << running_ % kWarpSize;
  end_collective_if_all_wait(warp, mask);
  wait(thread);
  return thread.lanes;
}

// So that all lanes of a mask that wait, wait for the same.
void Block::require_same_collective(unsigned warp, Place place, unsigned mask) const {
  const unsigned waiting = warps_[warp].at_collective & mask;
  for (unsigned lane = 0; lane < kWarpSize; ++lane) {
    if (!(waiting >> lane & 1)) {
      continue;
    }
    const Thread& other = threads_[warp * kWarpSize + lane];
    if (other.mask != mask || !same(other.place, place)) {
      throw std::runtime_error(
          "it comes to " + in_words(place) + " while " + who_waits() +
          (other.mask != mask ? ": with another mask" : ": not the same collective for all lanes of the mask"));
    }
    return;
  }
}

void Block::end_collective_if_all_wait(unsigned warp, unsigned mask) {
  const unsigned members = mask & warps_[warp].live;
  if ((members & ~warps_[warp].at_collective) != 0 || members == 0) {
    return;
  }
  Lanes lanes = {};
  lanes.members = members;
  released_.clear();
  for (unsigned lane = 0; lane < kWarpSize; ++lane) {
    if (members >> lane & 1) {
      released_.push_back(warp * kWarpSize + lane);
      lanes.bits[lane] = threads_[released_.back()].bits;
    }
  }
  if (same(threads_[released_[0]].place.what, "__syncwarp")) {
    races::sync_lanes(warp, members);
  }
  for (unsigned number : released_) {
    threads_[number].lanes = lanes;
    threads_[number].lanes.lane = number % kWarpSize;
  }
  warps_[warp].at_collective &= ~members;
  release();
}

void Block::read_of_absent_lane(Place place, unsigned lane) const {
  throw std::runtime_error(
      "in " + in_words(place) + " it reads lane " + std::to_string(lane) + ", which takes no part: an undefined value");
}

std::string Block::who_waits() const {
  std::map<std::string, std::vector<unsigned>> groups;
  for (unsigned number = 0; number < threads_.size(); ++number) {
    const Thread& thread = threads_[number];
    if (thread.state == ended) {
      groups["have ended"].push_back(number);
    } else if (thread.state != ready) {
      groups["wait at " + in_words(thread.place)].push_back(number);
    }
  }
  std::string text;
  for (const auto& [what, numbers] : groups) {
    text += (text.empty() ? "threads " : "; threads ") + ranges(numbers) + " " + what;
  }
  return text;
}

}  // namespace emulator
