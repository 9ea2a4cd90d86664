"""Whether the site that answers is the release that this file is of."""

import http.client
import json
import socket
import sys

connection = http.client.HTTPConnection("site")
connection.sock = socket.socket(socket.AF_UNIX)
connection.sock.connect(sys.argv[1])
connection.request("GET", "/")
said = json.load(connection.getresponse())
print(said["version"])
sys.exit(said["version"] != open("VERSION").read().strip())
