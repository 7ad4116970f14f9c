#include "common/instruction_set.h"

#include <cstdlib>
#include <cstring>

#include "common/tensor.h"

namespace stn {
namespace {

InstructionSet best_instruction_set() {
#ifdef STN_MULTIPLE_INSTRUCTION_SETS
  __builtin_cpu_init();
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  const bool avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  if (avx2) {
    return avx512 ? InstructionSet::avx512 : InstructionSet::avx2;
  }
#endif
  return InstructionSet::baseline;
}

InstructionSet chosen_instruction_set() {
  const InstructionSet best = best_instruction_set();
  const char* wish = std::getenv("STN3DMM_CPU_INSTRUCTIONS");
  if (wish == nullptr || *wish == '\0' || std::strcmp(wish, "avx512") == 0) {
    return best;
  }
  if (std::strcmp(wish, "avx2") == 0) {
    return best == InstructionSet::avx512 ? InstructionSet::avx2 : best;
  }
  STD_TORCH_CHECK(
      std::strcmp(wish, "baseline") == 0, "STN3DMM_CPU_INSTRUCTIONS must be baseline, avx2 or avx512; got ", wish);
  return InstructionSet::baseline;
}

std::string cpu_instruction_set() {
  const char* const names[] = {"baseline", "avx2", "avx512"};
  return names[static_cast<int>(instruction_set())];
}

}  // namespace

InstructionSet instruction_set() {
  static const InstructionSet chosen = chosen_instruction_set();
  return chosen;
}

}  // namespace stn

STABLE_TORCH_LIBRARY_IMPL(stn3dmm, CompositeExplicitAutograd, library) {
  library.impl("cpu_instruction_set", TORCH_BOX(&stn::cpu_instruction_set));
}
