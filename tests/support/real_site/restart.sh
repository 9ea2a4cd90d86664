#!/bin/sh
# The new process takes over the socket when it has answered itself; then the one before ends.
set -e
before=$(cat "$1/site.pid" 2>/dev/null || true)
"$1/venvs/$DEPLOY_COMMIT/bin/python" "$SCAP_FINAL_PATH/app.py" "$1/site.sock" "$1/site.db" </dev/null >/dev/null 2>&1 &
for _ in $(seq 100); do
    if [ -e "$1/site.sock.$!.pid" ]; then
        mv "$1/site.sock.$!.pid" "$1/site.pid"
        sleep 0.1
        [ -z "$before" ] || kill "$before" 2>/dev/null || true
        exit 0
    fi
    kill -0 $! 2>/dev/null || { echo "the new process did not come up"; exit 1; }
    sleep 0.05
done
echo "the new process did not come up in time"
exit 1
