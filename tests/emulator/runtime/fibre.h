// A function on a stack of its own, which can wait in its middle and be resumed there.
#pragma once

#include <cstddef>
#include <exception>
#include <functional>

namespace emulator {

class Fibre {
 public:
  Fibre() = default;
  Fibre(const Fibre&) = delete;
  Fibre& operator=(const Fibre&) = delete;
  ~Fibre();  // a fibre that has not ended is abandoned: nothing on its stack is destroyed

  // Runs `body`, at first from its beginning, until it waits or ends. Rethrows what it throws, which ends it.
  void resume(const std::function<void()>& body);
  bool ended() const {
    return ended_;
  }
  // Called by the body: returns to who resumed it.
  void wait();

  // Whether the address lies on some fibre's stack.
  static bool on_a_stack(const void* address);

 private:
  static void enter();
  void switch_in();
  void release_stack();

  char* stack_ = nullptr;             // from the pool, from the first resume to the end
  void* position_ = nullptr;          // of the fibre, while it waits
  void* resumer_ = nullptr;           // position of who resumed it, while it runs
  void* fake_stack_ = nullptr;        // AddressSanitizer's
  const void* host_stack_ = nullptr;  // bounds of the resumer's stack, for AddressSanitizer
  size_t host_size_ = 0;
  const std::function<void()>* body_ = nullptr;
  std::exception_ptr error_;
  bool ended_ = false;
};

}  // namespace emulator
