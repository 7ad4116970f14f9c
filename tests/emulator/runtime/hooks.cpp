// What g++ -fsanitize=thread calls at each memory access: the names and parameters that libtsan has, which is not
// linked. Nothing here may be instrumented itself.
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "runtime/races.h"

using emulator::races::Kind;
using emulator::races::note;

namespace emulator {

void announce_atomic(const void* address, unsigned size, const void* return_address) {
  note(races::atomic, address, size, return_address);
}

}  // namespace emulator

#define HERE __builtin_return_address(0)

extern "C" {

void __tsan_init() {
  emulator::races::note_compiled_in();
}
void __tsan_func_entry(void*) {
}
void __tsan_func_exit() {
}

#define EMULATOR_ACCESS(SIZE)                        \
  void __tsan_read##SIZE(void* address) {            \
    note(Kind::read, address, SIZE, HERE);           \
  }                                                  \
  void __tsan_write##SIZE(void* address) {           \
    note(Kind::write, address, SIZE, HERE);          \
  }                                                  \
  void __tsan_unaligned_read##SIZE(void* address) {  \
    note(Kind::read, address, SIZE, HERE);           \
  }                                                  \
  void __tsan_unaligned_write##SIZE(void* address) { \
    note(Kind::write, address, SIZE, HERE);          \
  }
EMULATOR_ACCESS(1)
EMULATOR_ACCESS(2)
EMULATOR_ACCESS(4)
EMULATOR_ACCESS(8)
EMULATOR_ACCESS(16)

void __tsan_read_range(void* address, size_t size) {
  note(Kind::read, address, size, HERE);
}
void __tsan_write_range(void* address, size_t size) {
  note(Kind::write, address, size, HERE);
}
void __tsan_vptr_update(void** address, void*) {
  note(Kind::write, address, sizeof(void*), HERE);
}
void __tsan_vptr_read(void** address) {
  note(Kind::read, address, sizeof(void*), HERE);
}

// Calls of these are not instrumented; the linker sends them here (--wrap).
__attribute__((weak)) void* __real_memcpy(void* to, const void* from, size_t size);
__attribute__((weak)) void* __real_memmove(void* to, const void* from, size_t size);
__attribute__((weak)) void* __real_memset(void* to, int value, size_t size);

void* __wrap_memcpy(void* to, const void* from, size_t size) {
  note(Kind::read, from, size, HERE);
  note(Kind::write, to, size, HERE);
  return __real_memcpy(to, from, size);
}
void* __wrap_memmove(void* to, const void* from, size_t size) {
  note(Kind::read, from, size, HERE);
  note(Kind::write, to, size, HERE);
  return __real_memmove(to, from, size);
}
void* __wrap_memset(void* to, int value, size_t size) {
  note(Kind::write, to, size, HERE);
  return __real_memset(to, value, size);
}
}
