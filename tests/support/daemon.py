"""A tiny daemon for tests: ``daemon.py PIDFILE GENERATIONS LOCATION PORT``.

It detaches itself, reads LOCATION/VERSION when it starts and when it gets a HUP, adds a line to GENERATIONS each
time, and answers every connection to PORT with what it has read. The version says how it behaves: ``broken`` does
not start, ``deaf`` does not listen, ``sick`` answers 500, and ``stubborn`` hangs while it starts.
"""

import os
import signal
import socket
import sys
import time

PIDFILE, GENERATIONS, LOCATION, PORT = sys.argv[1:5]
version = ""


def load(*_):
    global version
    with open(f"{LOCATION}/VERSION") as file:
        version = file.read().strip()
    with open(GENERATIONS, "a") as file:
        file.write(f"{version}\n")


def listen():
    server = socket.socket()
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.bind(("127.0.0.1", int(PORT)))
    server.listen()
    return server


def serve(server):
    while True:
        connection, _ = server.accept()
        with connection:
            try:
                connection.recv(4096)
                status = "500 Sick" if "sick" in version else "200 OK"
                body = f"version {version}".encode()
                head = f"HTTP/1.0 {status}\r\nX-Version: {version}\r\nContent-Length: {len(body)}\r\n\r\n"
                connection.sendall(head.encode() + body)
            except OSError:  # whoever only knocked is gone
                continue


def main():
    load()
    if "broken" in version:
        sys.exit("broken: cannot start")
    if "stubborn" in version:
        time.sleep(600)
    server = None if "deaf" in version else listen()
    signal.signal(signal.SIGHUP, load)
    ready, tell = os.pipe()
    if os.fork():
        os.close(tell)
        os.read(ready, 1)  # until the daemon has written its pid
        os._exit(0)
    os.setsid()
    null = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(null, stream)
    with open(PIDFILE, "w") as file:
        file.write(f"{os.getpid()}\n")
    os.close(tell)
    if server is None:
        while True:
            signal.pause()
    serve(server)


main()
