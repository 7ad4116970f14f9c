// The race detector. The compiler announces every memory access of the kernels (-fsanitize=thread, hooks.cpp); this
// finds two accesses of one address by different threads that nothing orders, unless both read or both are atomic.
//
// What orders: within a block, a block-wide barrier; within a warp, __syncwarp too. Shuffles and votes order no memory
// (CUDA programming guide), fences and atomics are not taken as an order, and nothing orders two blocks of a launch.
// Every such pair is found whatever the order in which threads run. (With partial masks of __syncwarp, of several
// earlier accesses by lanes of one warp only the last two lanes' are kept.)
#pragma once

#include <cstddef>
#include <string>

namespace emulator::races {

enum Kind { read, write, atomic };

// Whether kernels are compiled for it. Nothing else here costs anything if not.
bool compiled_in();
void note_compiled_in();

void begin_launch();
void begin_block(unsigned block);
void end_interval();                               // a block-wide barrier ended
void sync_lanes(unsigned warp, unsigned members);  // a __syncwarp ended
void enter(unsigned thread);                       // it runs from here
void leave();                                      // no kernel code runs from here
std::string end_launch();                          // what was found, in words; empty if nothing

// An access by the running thread; nothing if none runs.
void note(Kind kind, const void* address, size_t size, const void* return_address);

}  // namespace emulator::races
