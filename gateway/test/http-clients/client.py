"""Does with requests what every client here does (../http-compared.test.ts), and says as JSON what it saw."""
import json
import os

import requests

BASE, TOKEN = os.environ["BASE"], os.environ["TOKEN"]
PASSING = {"date", "connection", "keep-alive"}
# The library chooses another boundary each time.
PARTS = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\n' + b"x" * 1000 + b"\r\n--x--\r\n"
session = requests.Session()
session.headers["Authorization"] = "Bearer " + TOKEN
# An environment that names authorities of its own would win over the line below.
session.trust_env = False
session.verify = False
requests.packages.urllib3.disable_warnings()


def say(method, path, **more):
    try:
        answer = session.request(method, BASE + path, timeout=20, **more)
        text = answer.text if len(answer.content) < 20000 else f"{len(answer.content)} bytes"
        headers = [[n, v] for n, v in answer.raw.headers.items() if n.lower() not in PASSING]
        return [answer.status_code, answer.reason, headers, text, len(answer.history)]
    except requests.RequestException as error:
        return [type(error).__name__]


print(json.dumps([
    say("GET", "/echo", params={"q": ["1", "2"]}),
    say("POST", "/echo", data={"a": "b"}),
    say("PUT", "/echo", data=(part for part in [b"one ", b"two"])),
    say("POST", "/echo", data=PARTS, headers={"Content-Type": "multipart/form-data; boundary=x"}),
    say("POST", "/echo", data=b"x" * 300000),
    say("DELETE", "/gone"),
    say("HEAD", "/big"),
    say("GET", "/big"),
    say("GET", "/none"),
    say("GET", "/fresh", headers={"If-None-Match": '"1"'}),
    say("GET", "/redirect"),
    say("GET", "/gzip"),
    say("GET", "/cookies"),
    say("GET", "/pieces"),
    say("GET", "/cut"),
]))
