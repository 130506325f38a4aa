#!/bin/sh
# Installs under $1 the clients that nobody here wrote and that no other set-up step brings: ntpsec's ntpd (its Debian
# package may not stand beside chrony's, so it is only unpacked), promtool (of Prometheus, whose package would start it),
# @hapi/sntp for node, roughly.
# What cannot be had is said in one line, and its tests are skipped.
set -u
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1"
into=$(cd "$1" && pwd)

unpack() { # PACKAGE PROGRAM: a Debian package, unpacked under its own name
    [ ! -x "$into/$1/usr/$2" ] || return 0
    if command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null; then
        (cd "$into" && rm -f "$1"_*.deb && apt-get -qq download "$1" 2>/dev/null && dpkg-deb -x "$1"_*.deb "$1"; rm -f "$1"_*.deb)
    fi
    [ -x "$into/$1/usr/$2" ] || echo "not to be had here, its tests are skipped: $2 of $1"
}
unpack ntpsec sbin/ntpd
unpack prometheus bin/promtool

if ! cmp -s "$here/package-lock.json" "$into/node/package-lock.json" || [ ! -d "$into/node/node_modules/@hapi/sntp" ]; then
    mkdir -p "$into/node" && cp "$here/package.json" "$here/package-lock.json" "$into/node/"
    if ! command -v npm >/dev/null || ! (cd "$into/node" && npm ci --silent --ignore-scripts --no-audit --no-fund >/dev/null 2>&1); then
        rm -rf "$into/node"
        echo "not to be had here, its tests are skipped: @hapi/sntp of npm"
    fi
fi

# roughly says that it wants Python 3.12, and runs on 3.11 as it stands; what it needs is in the environment of the tests.
if ! cmp -s "$here/roughly.lock" "$into/roughly/roughly.lock"; then
    rm -rf "$into/roughly"
    "$into/../bin/python" -m pip --disable-pip-version-check install --quiet --no-deps --ignore-requires-python \
        --require-hashes --target "$into/roughly" --requirement "$here/roughly.lock" 2>/dev/null \
        && cp "$here/roughly.lock" "$into/roughly/"
    [ -d "$into/roughly/roughly" ] || echo "not to be had here, its tests are skipped: roughly of PyPI"
fi
exit 0
