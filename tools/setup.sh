#!/bin/sh
# Installs the Debian packages that one purpose needs and that dpkg does not have yet.
#
#   tools/setup.sh build|test|fuzz|bench|demo      (each but demo includes build)
#
# With everything there it says nothing and takes some milliseconds. Other systems than Debian get the
# list of what is needed, and an error only when the build could not work.
set -eu

build="meson ninja-build gcc libc6-dev libcrypt-dev pkg-config python3 libuv1-dev libyaml-dev libsqlite3-dev libssl-dev
 libarchive-dev libmicrohttpd-dev libgnutls28-dev libcurl4-openssl-dev libpcre2-dev zlib1g-dev libjq-dev libsodium-dev libjose-dev
 libcmocka-dev"
modules="libuv yaml-0.1 sqlite3 libcrypto libarchive libmicrohttpd gnutls libcurl libpcre2-8 zlib libsodium jose cmocka"
purpose=${1:-build}

case $purpose in
build) wanted=$build ;;
test) wanted="$build python3-yaml python3-cryptography python3-venv procps busybox-static docker-registry podman runc openssl curl" ;;
fuzz) wanted="$build clang libclang-rt-14-dev" ;;
bench) wanted="$build python3-yaml bubblewrap crun runc" ;;
demo) wanted="python3-sklearn" ;;
*) echo "usage: $0 build|test|fuzz|bench|demo" >&2; exit 2 ;;
esac

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
    for tool in meson ninja cc pkg-config python3; do
        command -v $tool >/dev/null || lacking="${lacking:-} $tool"
    done
    for module in $modules; do
        pkg-config --exists $module 2>/dev/null || lacking="${lacking:-} $module"
    done
    [ -z "${lacking:-}" ] && exit 0
    echo "This is not Debian. Please install what these Debian packages hold:" $wanted >&2
    echo "Not found here:$lacking" >&2
    exit 1
fi

missing=
for package in $wanted; do
    case $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) in
    installed) ;;
    *) missing="$missing $package" ;;
    esac
done
[ -z "$missing" ] && exit 0

as_root=
if [ "$(id -u)" != 0 ]; then
    if ! command -v sudo >/dev/null; then
        echo "Please install these packages as root: apt-get install$missing" >&2
        exit 1
    fi
    as_root=sudo
fi
apt="$as_root env DEBIAN_FRONTEND=noninteractive LC_ALL=C apt-get -o DPkg::Lock::Timeout=300 --no-install-recommends"

# The lists may be absent or older than the mirror.
$apt update -q >/dev/null || echo "apt-get update failed; trying with the lists that are there" >&2
echo "Installing:$missing"
$apt --assume-no install $missing | grep -E '^(Need to get|After this operation)' || true
log=$(mktemp)
if ! $apt -y install -q $missing >"$log" 2>&1; then
    tail -n 20 "$log" >&2
    rm -f "$log"
    exit 1
fi
rm -f "$log"
