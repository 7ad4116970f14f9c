// A block of threads, each a fibre: who runs, who waits for whom, and what nobody can wait for.
#pragma once

#include <cuda_runtime.h>

#include <deque>
#include <functional>
#include <string>
#include <vector>

#include "runtime/fibre.h"
#include "runtime/order.h"

namespace emulator {

class Block {
 public:
  // For blocks of one launch, one after another.
  Block(unsigned threads, const std::function<void()>& body, Order& order);

  // Runs all threads to their end. Throws what one of them throws, or what hinders them; then it cannot run again.
  void run();

  // Called by the running thread.
  Votes meet_block(Place place, bool predicate);
  const Lanes& meet_lanes(Place place, unsigned mask, uint64_t bits);
  [[noreturn]] void read_of_absent_lane(Place place, unsigned lane) const;

 private:
  enum State { ready, at_barrier, at_collective, ended };

  struct Thread {
    Fibre fibre;
    State state;
    Place place;    // where it waits
    unsigned mask;  // of the lanes it waits for
    bool predicate;
    Votes votes;  // what the barrier gave it
    uint64_t bits;
    Lanes lanes;  // what the collective gave it
  };

  // A lane a bit.
  struct Warp {
    unsigned live;           // have not ended
    unsigned at_collective;  // wait at one
  };

  void run_thread(unsigned number);
  void wait(Thread& thread);
  void end(unsigned number);
  void end_barrier_if_all_wait();
  void end_collective_if_all_wait(unsigned warp, unsigned mask);
  void require_same_collective(unsigned warp, Place place, unsigned mask) const;
  void release();  // those of released_ become ready
  std::string who_waits() const;

  std::function<void()> body_;  // of a thread
  Order& order_;
  std::vector<Thread> threads_;
  std::vector<Warp> warps_;
  std::deque<unsigned> ready_;
  std::vector<unsigned> released_;
  unsigned running_ = 0;
  unsigned live_ = 0;        // threads that have not ended
  unsigned at_barrier_ = 0;  // threads that wait at it
  Place barrier_ = {};
};

}  // namespace emulator
