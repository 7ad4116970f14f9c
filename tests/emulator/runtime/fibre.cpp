#include "runtime/fibre.h"

#include <sys/mman.h>

#include <cstdint>
#include <cstring>
#include <new>
#include <utility>
#include <vector>

// Only there under AddressSanitizer, which has to know which stack is in use.
extern "C" {
__attribute__((weak)) void __sanitizer_start_switch_fiber(void** fake_stack, const void* bottom, size_t size);
__attribute__((weak)) void __sanitizer_finish_switch_fiber(void* fake_stack, const void** bottom, size_t* size);
__attribute__((weak)) void __asan_unpoison_memory_region(const volatile void* address, size_t size);
}

// Pushes what a function has to preserve, stores the stack pointer, and goes on with another: what swapcontext does,
// but without two system calls for the signal mask.
extern "C" __attribute__((visibility("hidden"))) void emulator_switch(void** from, void* to);
#if defined(__x86_64__)
asm(R"(
    .text
    .globl emulator_switch
    .hidden emulator_switch
    .type emulator_switch, @function
emulator_switch:
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, (%rdi)
    movq %rsi, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    ret
    .size emulator_switch, .-emulator_switch
)");
#else
#error "the emulator's fibres are written for x86-64"
#endif

namespace emulator {
namespace {

constexpr size_t kPage = 4096;
constexpr size_t kStack = 256 * 1024;
constexpr size_t kStacks = 1024;  // as many as a block may have threads

// Stacks with a page between them that may not be touched. Those in use lately are used first: they are in cache.
class StackPool {
 public:
  StackPool() {
    const size_t bytes = kStacks * (kStack + kPage);
    void* memory = mmap(nullptr, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) {
      throw std::bad_alloc();
    }
    begin_ = static_cast<char*>(memory);
    end_ = begin_ + bytes;
    for (size_t i = kStacks; i > 0; --i) {
      char* stack = begin_ + (i - 1) * (kStack + kPage) + kPage;
      if (mprotect(stack, kStack, PROT_READ | PROT_WRITE) != 0) {
        throw std::bad_alloc();
      }
      free_.push_back(stack);
    }
  }

  char* take() {
    char* stack = free_.back();
    free_.pop_back();
    return stack;
  }

  void give_back(char* stack) {
    free_.push_back(stack);
  }

  bool holds(const void* address) const {
    return address >= begin_ && address < end_;
  }

 private:
  char *begin_, *end_;
  std::vector<char*> free_;
};

StackPool& pool() {
  static StackPool* pool = new StackPool;  // never destroyed: fibres may outlive static objects
  return *pool;
}

Fibre* running = nullptr;

}  // namespace

Fibre::~Fibre() {
  if (stack_ != nullptr) {
    if (__asan_unpoison_memory_region != nullptr) {
      __asan_unpoison_memory_region(stack_, kStack);  // frames that were never left
    }
    release_stack();
  }
}

bool Fibre::on_a_stack(const void* address) {
  return pool().holds(address);
}

void Fibre::release_stack() {
  pool().give_back(stack_);
  stack_ = nullptr;
}

void Fibre::resume(const std::function<void()>& body) {
  if (stack_ == nullptr) {
    stack_ = pool().take();
    ended_ = false;
    fake_stack_ = nullptr;
    // As emulator_switch leaves a stack: six registers, then where to return to. enter() is then aligned as if called.
    void** top = reinterpret_cast<void**>(stack_ + kStack) - 2;
    top[0] = reinterpret_cast<void*>(&Fibre::enter);
    top[1] = nullptr;  // the end for who walks the stack
    position_ = top - 6;
    std::memset(position_, 0, 6 * sizeof(void*));
  }
  body_ = &body;
  switch_in();
  if (ended_) {
    release_stack();
    if (error_) {
      std::rethrow_exception(std::exchange(error_, nullptr));
    }
  }
}

void Fibre::switch_in() {
  running = this;
  void* fake_stack = nullptr;
  if (__sanitizer_start_switch_fiber != nullptr) {
    __sanitizer_start_switch_fiber(&fake_stack, stack_, kStack);
  }
  emulator_switch(&resumer_, position_);
  if (__sanitizer_finish_switch_fiber != nullptr) {
    __sanitizer_finish_switch_fiber(fake_stack, nullptr, nullptr);
  }
}

void Fibre::wait() {
  if (__sanitizer_start_switch_fiber != nullptr) {
    __sanitizer_start_switch_fiber(ended_ ? nullptr : &fake_stack_, host_stack_, host_size_);
  }
  emulator_switch(&position_, resumer_);
  if (__sanitizer_finish_switch_fiber != nullptr) {
    __sanitizer_finish_switch_fiber(fake_stack_, &host_stack_, &host_size_);
  }
}

void Fibre::enter() {
  Fibre* fibre = running;
  if (__sanitizer_finish_switch_fiber != nullptr) {
    __sanitizer_finish_switch_fiber(nullptr, &fibre->host_stack_, &fibre->host_size_);
  }
  try {
    (*fibre->body_)();
  } catch (...) {
    fibre->error_ = std::current_exception();
  }
  fibre->ended_ = true;
  fibre->wait();
}

}  // namespace emulator
