#!/usr/bin/env bash
# Everything that a GPU can say about this checkout, in under ten minutes: bash benchmarks/device_check.sh
#
# Needs Python with PyTorch >= 2.10 for CUDA, pytest, hypothesis and the packages of pyproject.toml; nvcc if the
# libraries in stn3dmm_cuda/ are not built or do not load. Writes into ${OUT:-device-report}:
#   environment.json  the GPU, the versions, the commit
#   suite.xml         the tests with backend = cuda
#   quick.json        some cases of benchmarks.device_bench, before anything that takes long
#   bench.json        all of them, rows as they come
#   log.txt           what every step printed
#   results.txt       the table at the end: step, result, seconds
# Exit status 1 if a step failed or ran out of time. PYTHON names the interpreter, DEVICE_CHECK_SECONDS the time for
# all. --rehearse runs every step on the CPU, in small.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1

python=${PYTHON:-python3}
out=${OUT:-device-report}
backend=cuda
quick=()
selection='cuda or device'
if [[ ${1:-} == --rehearse ]]; then
  backend=cpu
  quick=(--quick)
  selection='test_grid_by_hand and cpu'
elif [[ $# -gt 0 ]]; then
  echo "usage: $0 [--rehearse]" >&2
  exit 2
fi
mkdir -p "$out" && out=$(cd "$out" && pwd) || exit 1
rm -f "$out"/{environment.json,suite.xml,quick.json,bench.json,log.txt,results.txt}
end=$((SECONDS + ${DEVICE_CHECK_SECONDS:-580}))
failed=0
export PYTHONPATH="$PWD:$PWD/python${PYTHONPATH:+:$PYTHONPATH}" PYTHONUNBUFFERED=1

# record STEP RESULT SECONDS: a line of the table.
record() {
  printf '%-12s %-10s %4s s\n' "$1" "$2" "$3" >>"$out/results.txt"
  [[ $2 == passed || $2 == skipped ]] || failed=1
}

# step NAME LIMIT COMMAND...: runs it for at most LIMIT seconds, or for what is left of all.
step() {
  local name=$1 limit=$2 start=$SECONDS status
  shift 2
  local left=$((end - SECONDS))
  if ((left < 5)); then
    record "$name" "timed out" 0
    return 1
  fi
  echo "== $name" | tee -a "$out/log.txt"
  timeout --kill-after=5 $((limit < left ? limit : left)) "$@" 2>&1 | tee -a "$out/log.txt" | tail -n 40
  status=${PIPESTATUS[0]}
  case $status in
    0) record "$name" passed $((SECONDS - start)) ;;
    124 | 137) record "$name" "timed out" $((SECONDS - start)) ;;
    *) record "$name" failed $((SECONDS - start)) ;;
  esac
  return "$status"
}

finish() {
  echo
  cat "$out/results.txt"
  echo "report in $out"
  exit "$failed"
}

skip() {
  local name
  for name in "$@"; do
    record "$name" skipped 0
  done
}

interrupted() {
  record interrupted failed 0
  finish
}
trap interrupted INT TERM

# The libraries as they are, if they load; else they are built. 3: there is no GPU for PyTorch, so building is no help.
loads='
import sys, torch
if sys.argv[1] == "cuda" and not torch.cuda.is_available():
    print("PyTorch", torch.__version__, "sees no GPU"); sys.exit(3)
import stn3dmm_cuda
if sys.argv[1] == "cuda" and not stn3dmm_cuda.has_cuda():
    print("has_cuda() is False"); sys.exit(1)
'
build() {
  "$python" -c "$loads" "$backend"
  local status=$?
  if ((status == 0 || status == 3)); then
    return "$status"
  fi
  STN3DMM_WITH_CUDA=1 "$python" setup.py --quiet build_ext --inplace && "$python" -c "$loads" "$backend"
}
export python loads backend
export -f build

step environment 60 "$python" -m benchmarks.device_environment "$out/environment.json"
if ! step libraries 300 bash -c build; then
  skip quick suite bench memcheck racecheck synccheck
  finish
fi

step quick 60 "$python" -m benchmarks.device_bench --device "$backend" --quick --no-compile \
  --json "$out/quick.json"

workers=()
if "$python" -c 'import xdist' 2>/dev/null; then
  workers=(-n 4)
fi
STN3DMM_REQUIRE_BACKENDS=$backend STN3DMM_WITH_CUDA=0 step suite 240 "$python" -m pytest -q -p no:cacheprovider \
  ${workers[@]+"${workers[@]}"} -k "$selection" --junitxml "$out/suite.xml" tests

step bench 150 "$python" -m benchmarks.device_bench --device "$backend" ${quick[@]+"${quick[@]}"} --json "$out/bench.json"

sanitizer=$(command -v compute-sanitizer || ls /usr/local/cuda/bin/compute-sanitizer 2>/dev/null)
for tool in memcheck racecheck synccheck; do
  if [[ -z $sanitizer ]]; then
    echo "compute-sanitizer is not found" >>"$out/log.txt"
    skip "$tool"
    continue
  fi
  settings=()
  if [[ $tool == memcheck ]]; then
    settings=(PYTORCH_NO_CUDA_MEMORY_CACHING=1) # within PyTorch's cached blocks it would see no overrun
  fi
  step "$tool" 100 env ${settings[@]+"${settings[@]}"} "$sanitizer" --tool "$tool" --error-exitcode 1 \
    "$python" -m benchmarks.device_cases --device "$backend" ${quick[@]+"${quick[@]}"}
done
finish
