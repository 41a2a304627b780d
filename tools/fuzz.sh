#!/bin/sh
# Builds the fuzz targets with clang and runs each for some time, from its seeds.
#
#   tools/fuzz.sh [SECONDS] [TARGET...]      default: 60 seconds, every target of test/fuzz
#
# New inputs are kept in build-fuzz/corpus/TARGET, a crashing input in build-fuzz/TARGET-crash-…
# The last line is `N passed, N failed`, a target being one test.
set -eu
cd "$(dirname "$0")/.."
seconds=60
case ${1-} in [0-9]*) seconds=$1; shift ;; esac

if [ ! -f build-fuzz/build.ninja ]; then
    CC=clang meson setup build-fuzz -Dfuzz=true -Db_sanitize=address,undefined -Db_lundef=false \
        -Dc_args=-fsanitize=fuzzer-no-link -Dbuildtype=debugoptimized
fi
[ $# -gt 0 ] || set -- $(ninja -C build-fuzz -t targets all | sed -n 's,^test/fuzz/\(fuzz_[a-z0-9_]*\): .*,\1,p' | sort -u)

passed=0 failed=0
for target in "$@"; do
    ninja -C build-fuzz "test/fuzz/$target" >build-fuzz/ninja.log || { tail -n 20 build-fuzz/ninja.log; exit 1; }
    corpus=build-fuzz/corpus/$target
    mkdir -p "$corpus"
    printf '%-24s' "$target"
    seeds=
    [ -d "test/fuzz/seeds/$target" ] && seeds=test/fuzz/seeds/$target
    if build-fuzz/test/fuzz/$target -max_total_time="$seconds" -timeout=25 -rss_limit_mb=2048 \
        -artifact_prefix="build-fuzz/$target-" "$corpus" $seeds >"build-fuzz/$target.log" 2>&1; then
        passed=$((passed + 1))
        sed -n 's/^Done \([0-9]*\) runs.*/\1 inputs/p' "build-fuzz/$target.log"
    else
        failed=$((failed + 1))
        echo FAILED
        tail -n 30 "build-fuzz/$target.log" | sed 's/^/    | /'
    fi
done
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
