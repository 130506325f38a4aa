#!/bin/sh
# Installs the Debian packages that system tests use, where it may: root, and apt-get at hand. Silent when nothing is missing.
set -u
packages="chrony chromium faketime golang-go golang-golang-x-mod-dev linuxptp ntpsec-ntpdig openssl systemd"
command -v npm >/dev/null || packages="$packages npm"
missing=""
for package in $packages; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' || missing="$missing $package"
done
[ -n "$missing" ] || exit 0
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    echo "not installed here, their tests are skipped:$missing"
    exit 0
fi
export DEBIAN_FRONTEND=noninteractive
# A package that starts a service must not start it here: the tests start their own.
policy=/usr/sbin/policy-rc.d
made_policy=""
if [ ! -e $policy ]; then printf '#!/bin/sh\nexit 101\n' > $policy && chmod +x $policy && made_policy=1; fi
apt-get -qq update || true
apt-get -qq install --yes --no-install-recommends $missing || echo "could not install:$missing (their tests are skipped)"
[ -z "$made_policy" ] || rm -f $policy
exit 0
