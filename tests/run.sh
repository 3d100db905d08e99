#!/bin/bash
# SPDX-License-Identifier: AGPL-3.0-or-later
# Build Hallmark in every way it is built and pass every test. Installs what is
# missing, leaves nothing running. The last line is "N passed, N failed".
#   tests/run.sh [STEP...]   all, or the named ones of the list at the end
#   HM_FUZZ_SECONDS          for each fuzz target (default 15)
set -u
cd "$(dirname "$0")/.." || exit 1
root=$PWD
logs=$root/build/logs
jobs=$(nproc)
passed=0
failed=0
mkdir -p "$logs"
unset HALLMARK_STATE
export GST_REGISTRY=$root/build/gst-registry.bin GST_PLUGIN_PATH=
launcher=
command -v ccache >/dev/null && launcher=-DCMAKE_C_COMPILER_LAUNCHER=ccache

# ok NAME COMMAND...: run it, one line, the end of its output where it fails.
ok() {
  local name=$1 log begin
  shift
  log=$logs/$(printf %s "$name" | tr -c 'a-z0-9A-Z._-' _).log
  begin=$SECONDS
  if "$@" >"$log" 2>&1 </dev/null; then
    passed=$((passed + 1))
    printf 'ok    %-52s %4d s\n' "$name" $((SECONDS - begin))
  else
    failed=$((failed + 1))
    printf 'FAIL  %-52s %4d s  %s\n' "$name" $((SECONDS - begin)) "${log#"$root"/}"
    tail -n 40 "$log" | sed 's/^/      /'
    return 1
  fi
}

# suite NAME DIR [CTEST ARGUMENT...]: every program of a build's tests counts.
suite() {
  local name=$1 dir=$2 log=$logs/ctest-$1.log begin=$SECONDS good bad
  shift 2
  ctest --test-dir "$dir" --output-on-failure "$@" >"$log" 2>&1 </dev/null
  good=$(grep -cE '^ *[0-9]+/[0-9]+ Test .* Passed ' "$log")
  bad=$(grep -cE '^ *[0-9]+/[0-9]+ Test .*(\*\*\*|Not Run)' "$log")
  [ $((good + bad)) -gt 0 ] || bad=1
  passed=$((passed + good))
  failed=$((failed + bad))
  if [ "$bad" -eq 0 ]; then
    printf 'ok    %-52s %4d s\n' "$name: $good test programs" $((SECONDS - begin))
  else
    printf 'FAIL  %-52s %4d s  %s\n' "$name: $bad of $((good + bad)) test programs" \
      $((SECONDS - begin)) "${log#"$root"/}"
    grep -E '\*\*\*|\[ +ERROR|FAILED|ERROR: |runtime error|WARNING: Thread' "$log" | head -n 40 | sed 's/^/      /'
  fi
}

preset() { # NAME PRESET DIR [CMAKE ARGUMENT...]
  local name=$1 preset=$2 dir=$3
  shift 3
  ok "configure $name" cmake --preset "$preset" -B "$dir" $launcher "$@" &&
    ok "build $name" cmake --build "$dir" -j "$jobs"
}

step_release() {
  preset "release, gcc" release build/release -DCMAKE_C_COMPILER=gcc && suite release build/release
  ok "install into a prefix" tests/house/install.sh build/release
  ok "no symbol newer than Ubuntu 22.04" tests/house/versions.py build/release/lib/libgsthallmark.so \
    build/release/bin/hallmark build/release/bin/hallmarkd build/release/bin/hallmark-{authority,media}
}
step_clang() { preset "release, clang" release build/clang -DCMAKE_C_COMPILER=clang-14; }
step_asan() {
  preset "ASan and UBSan" asan build/asan && suite asan build/asan
}
step_tsan() {
  export TSAN_OPTIONS=suppressions=$root/tests/tsan.supp
  # Programs that run GStreamer are left out: it hands over by locks that TSan cannot see.
  # What is ours in them (the gate's client, the lease, the analysis) has programs of its own.
  preset "TSan" tsan build/tsan &&
    HM_TEST_THIN=1 suite tsan build/tsan -E '^(gst_|media_|clip_|region_encoder_spec)'
}
step_freestanding() {
  ok "trust/ freestanding on the host" tests/house/freestanding.sh host build/freestanding/host gcc
  ok "trust/ freestanding on arm64" tests/house/freestanding.sh arm64 build/freestanding/arm64 \
    aarch64-linux-gnu-gcc -idirafter /usr/include
  ok "trust/ freestanding on Cortex-M4" tests/house/freestanding.sh m4 build/freestanding/m4 \
    arm-none-eabi-gcc -mcpu=cortex-m4 -mthumb -idirafter /usr/include
}
step_arm64() {
  ok "arm64 root" tests/house/sysroot.sh build/sysroot-arm64 &&
    ok "configure arm64" cmake -S . -B build/arm64 -G Ninja --toolchain deploy/arm64.cmake $launcher \
      "-DHM_SYSROOT=$root/build/sysroot-arm64" -DHM_PROGRAMS=OFF -DCMAKE_BUILD_TYPE=RelWithDebInfo &&
    ok "build arm64" cmake --build build/arm64 -j "$jobs" && HM_TEST_THIN=1 suite arm64 build/arm64 -j "$jobs"
}
step_house() {
  ok "a build against the arrows fails" tests/house/arrows_fail.sh
  ok "format" bash -c "git ls-files '*.c' '*.h' | xargs clang-format-14 --dry-run -Werror"
  ok "shell scripts" shellcheck -S warning deploy/*.sh tests/*.sh tests/*/*.sh .ci/run
}
step_e2e() {
  local script
  for script in tests/e2e/*.sh; do
    ok "$(basename "$script" .sh)" timeout 600 "$script" build/release
  done
}
step_fuzz() {
  local target seconds=${HM_FUZZ_SECONDS:-15}
  preset "fuzzers" asan build/fuzz -DCMAKE_C_COMPILER=clang-14 -DHM_FUZZ=ON -DHM_TESTS=ON \
    "-DCMAKE_C_FLAGS=-fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all -O1 -g" || return
  for target in build/fuzz/bin/*_fuzz; do
    local name corpus
    name=$(basename "$target" _fuzz)
    corpus=build/fuzz/corpus/$name
    mkdir -p "$corpus"
    ok "fuzz $name" timeout $((seconds * 4 + 60)) "$target" -max_total_time="$seconds" -rss_limit_mb=2048 \
      -timeout=10 -print_final_stats=1 "$corpus" "tests/fuzz/corpus/$name"
  done
}

steps="release clang freestanding house e2e asan tsan arm64 fuzz"
begin=$SECONDS
ok "packages" deploy/packages.sh test
[ $# -gt 0 ] && steps=$*
for step in $steps; do
  "step_$step"
done
echo "$((SECONDS - begin)) s"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
