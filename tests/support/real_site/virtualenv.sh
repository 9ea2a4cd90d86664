#!/bin/sh
# A virtualenv for each release, beside the trees: made before anybody switches, and once.
set -e
place="$1/venvs/$DEPLOY_COMMIT"
[ -x "$place/bin/python" ] && exit 0
rm -rf "$place.making"
python3 -m venv --without-pip "$place.making"
mv "$place.making" "$place"
