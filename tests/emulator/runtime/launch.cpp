// Launches: the grid's blocks one after another, with fresh garbage in shared memory for each.
#include <cuda_runtime.h>

#include <mutex>
#include <set>
#include <stdexcept>
#include <utility>

#include "runtime/block.h"
#include "runtime/emulator.h"
#include "runtime/errors.h"
#include "runtime/names.h"
#include "runtime/races.h"
#include "runtime/shared_memory.h"

namespace emulator {
namespace {

struct Launches {
  std::mutex mutex;  // the built-in variables and the shared arrays are there once
  Order::Kind order = Order::shuffled;
  uint64_t seed = 0;
  uint64_t since_seed = 0;
  int64_t count = 0;
  std::set<const void*> kernels;
  int failure = 0;  // of the next launch
};

Launches state;
Block* running = nullptr;

bool possible(const cudaLaunchConfig_t& config) {
  const uint64_t threads = uint64_t(config.blockDim.x) * config.blockDim.y * config.blockDim.z;
  return threads > 0 && threads <= 1024 && config.blockDim.z <= 64 && config.gridDim.x > 0 &&
         config.gridDim.x <= 0x7fffffffu && config.gridDim.y > 0 && config.gridDim.y <= 65535 && config.gridDim.z > 0 &&
         config.gridDim.z <= 65535 && config.dynamicSmemBytes == 0 && config.numAttrs == 0;
}

void run_block(unsigned number, Block& block) {
  blockIdx = {number % gridDim.x, number / gridDim.x % gridDim.y, number / gridDim.x / gridDim.y};
  fill_shared_memory();
  races::begin_block(number);
  try {
    block.run();
  } catch (const std::exception& error) {
    throw std::runtime_error("block " + std::to_string(number) + ", " + error.what());
  }
}

void run_grid(const std::function<void()>& body) {
  Order order(state.order, state.seed * 0x9e3779b97f4a7c15 + ++state.since_seed);
  std::vector<unsigned> blocks(size_t(gridDim.x) * gridDim.y * gridDim.z);
  for (size_t i = 0; i < blocks.size(); ++i) {
    blocks[i] = static_cast<unsigned>(i);
  }
  order.arrange(blocks);
  races::begin_launch();
  Block block(blockDim.x * blockDim.y * blockDim.z, body, order);
  running = &block;
  try {
    for (unsigned number : blocks) {
      run_block(number, block);
    }
  } catch (...) {
    running = nullptr;
    races::end_launch();
    throw;
  }
  running = nullptr;
  const std::string found = races::end_launch();
  if (!found.empty()) {
    throw std::runtime_error(found);
  }
}

}  // namespace

cudaError_t launch(const cudaLaunchConfig_t& config, const void* kernel, const std::function<void()>& body) {
  if (Fibre::on_a_stack(__builtin_frame_address(0))) {
    throw std::runtime_error("emulator: a kernel launches a kernel, which is not emulated");
  }
  const std::lock_guard<std::mutex> lock(state.mutex);
  if (state.failure != cudaSuccess) {
    return keep_error(static_cast<cudaError_t>(std::exchange(state.failure, 0)));
  }
  if (!possible(config)) {
    return keep_error(cudaErrorInvalidConfiguration);
  }
  gridDim = config.gridDim;
  blockDim = config.blockDim;
  ++state.count;
  state.kernels.insert(kernel);
  try {
    run_grid(body);
  } catch (const std::exception& error) {
    throw std::runtime_error("emulator: " + kernel_name(kernel) + ", " + error.what());
  }
  return cudaSuccess;
}

// What running kernels call.

Votes meet_block(Place place, bool predicate) {
  return running->meet_block(place, predicate);
}

const Lanes& meet_lanes(Place place, unsigned mask, uint64_t bits) {
  return running->meet_lanes(place, mask, bits);
}

void read_of_absent_lane(Place place, unsigned lane) {
  running->read_of_absent_lane(place, lane);
}

// The controls.

bool kernels_have_red_zones = false;

const char* variant() {
  return kernels_have_red_zones ? "address" : races::compiled_in() ? "race" : "plain";
}

void set_order(const std::string& order, uint64_t seed) {
  const std::lock_guard<std::mutex> lock(state.mutex);
  if (order != "forward" && order != "reverse" && order != "shuffled") {
    throw std::invalid_argument("set_order: order must be forward, reverse or shuffled; got " + order);
  }
  state.order = order == "forward" ? Order::forward : order == "reverse" ? Order::reverse : Order::shuffled;
  state.seed = seed;
  state.since_seed = 0;
}

int64_t launches() {
  const std::lock_guard<std::mutex> lock(state.mutex);
  return state.count;
}

std::vector<std::string> kernels() {
  const std::lock_guard<std::mutex> lock(state.mutex);
  std::set<std::string> names;
  for (const void* kernel : state.kernels) {
    names.insert(kernel_name(kernel));
  }
  return {names.begin(), names.end()};
}

void fail_next_launch(int status) {
  const std::lock_guard<std::mutex> lock(state.mutex);
  state.failure = status;
}

}  // namespace emulator
