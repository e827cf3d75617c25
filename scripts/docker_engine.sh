#!/usr/bin/env bash
# A Docker engine that answers and a Python base image, on a machine that can pull no image.
#
#   scripts/docker_engine.sh [TAG]     default TAG: python:X.Y-slim, X.Y being this machine's python3
#
# The image is this machine's own Python on a small Debian of the same release. Safe to call again: what is there stays.
# Needs root on Debian, except when an engine with the image answers already. DOCKER_DIR holds the engine and the image.
set -euo pipefail

directory=${DOCKER_DIR:-/var/tmp/vitesse-docker}
python=${PYTHON:-python3}

say() { printf 'docker_engine: %s\n' "$*" >&2; }
refuse() {
  say "$*"
  exit 1
}

engine_answers() { docker info >/dev/null 2>&1; }
has_image() { docker image inspect "$1" >/dev/null 2>&1; }

require_debian_root() {
  [ "$(id -u)" = 0 ] || refuse "an engine can only be set up by root; start one yourself, then call this again"
  [ -r /etc/debian_version ] && command -v apt-get >/dev/null \
    || refuse "only Debian and its kin are known here; install Docker and provide the image $tag yourself"
}

install_missing() {
  local package missing=()
  for package in "$@"; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  say "installing ${missing[*]}"
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >"$directory/apt.log" 2>&1 \
    || refuse "apt could not install ${missing[*]}; see $directory/apt.log"
}

start_engine() {
  say "starting the engine"
  setsid dockerd --data-root "$directory/data" --exec-root "$directory/exec" --pidfile "$directory/engine.pid" \
    >"$directory/engine.log" 2>&1 </dev/null &
  local attempt
  for attempt in $(seq 120); do
    if engine_answers; then return 0; fi
    sleep 0.5
  done
  refuse "the engine does not answer after $((attempt / 2)) s; see $directory/engine.log"
}

# Debian packages that hold the shared libraries which the Python below $1 is linked to (a container draws no windows).
library_packages() {
  local library owner
  { find "$1" -type f \( -name '*.so*' -o -path '*/bin/python3*' \) \
    -not -path '*/site-packages/*' -not -name '_tkinter*' -exec ldd {} + 2>/dev/null || true; } \
    | sed -n 's/.*=> \(\/[^ ]*\) (.*/\1/p' | sort -u \
    | while read -r library; do
      library=$(realpath "$library")
      case $library in "$1"/*) continue ;; esac
      owner=$(dpkg-query -S "$library" 2>/dev/null || dpkg-query -S "${library#/usr}" 2>/dev/null || true)
      printf '%s\n' "${owner%%:*}"
    done | sed '/^$/d' | sort -u
}

build_root() {
  local root=$1 prefix release packages
  prefix=$("$python" -c 'import os, sys; print(os.path.realpath(sys.base_prefix))')
  release=$(. /etc/os-release && echo "$VERSION_CODENAME")
  if [ "$prefix" = /usr ]; then
    packages="python3 python3-pip python3-venv"
  else
    packages=$(library_packages "$prefix" | paste -sd ' ')
  fi
  say "building Debian $release with: $packages"
  debootstrap --variant=minbase --include="ca-certificates,${packages// /,}" "$release" "$root" >"$directory/debootstrap.log" 2>&1 \
    || refuse "debootstrap failed; see $directory/debootstrap.log"
  if [ "$prefix" = /usr ]; then
    find "$root/usr/lib" -maxdepth 2 -name EXTERNALLY-MANAGED -delete
    ln -s ../../bin/python3 "$root/usr/local/bin/python"
  else
    copy_python "$prefix" "$root/usr/local"
    echo /usr/local/lib >"$root/etc/ld.so.conf.d/python.conf"
    chroot "$root" ldconfig
  fi
  rm -rf "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists/*
}

# The standard library, pip and setuptools; no tests, nothing else that was installed here.
copy_python() {
  local prefix=$1 target=$2 script
  tar -C "$prefix" --exclude='./lib/python3.*/test' --exclude='_tkinter*' --exclude='*.a' --exclude='__pycache__' --exclude='./lib/python3.*/site-packages/*' -c . | tar -C "$target" -x
  (cd "$prefix" && find lib/python3.*/site-packages -maxdepth 1 \( -name 'pip*' -o -name 'setuptools*' -o -name '_distutils_hack' \) -print0 \
    | tar --exclude='__pycache__' --null -T - -c) | tar -C "$target" -x
  find "$target/bin" -type f | while read -r script; do
    if head -c 2 "$script" | grep -q '#!'; then sed -i "1s|$prefix/bin/|/usr/local/bin/|" "$script"; fi
  done
  ln -sf python3 "$target/bin/python"
}

command -v "$python" >/dev/null || refuse "no $python on this machine"
tag=${1:-python:$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')-slim}

if ! engine_answers; then
  require_debian_root
  mkdir -p "$directory"
  install_missing docker.io iptables
  start_engine
fi
if ! has_image "$tag"; then
  require_debian_root
  mkdir -p "$directory"
  install_missing debootstrap
  root=$directory/root
  rm -rf "$root"
  build_root "$root"
  tar -C "$root" --numeric-owner -c . \
    | docker import --change 'ENV PATH=/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8' \
      --change 'CMD ["python3"]' - "$tag" >/dev/null
  rm -rf "$root"
fi
version=$(docker run --rm --network none --read-only --cap-drop ALL "$tag" \
  python3 -c 'import bz2, ctypes, hashlib, lzma, sqlite3, ssl, sys, zlib; print(sys.version.split()[0])')
say "ready: $tag with Python $version"
