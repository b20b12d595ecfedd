#!/usr/bin/env bash
# litellm hands on the first four stop strings of a request and drops the others without a word.
#
# OpenAI's own service takes at most four, so for it the cut prevents an error. litellm makes it for every server
# behind its `openai/` and `hosted_vllm/` names as well, some of which take more (llama.cpp), and says so neither in
# the reply nor, by default, in its log. A model then goes on behind the fifth stop: whoever trusts the stops reads a longer
# answer, and pays for it.
#
# What is run: litellm's own client against a server of this script that records what it was sent.
# Ends with 0 if litellm still behaves like this, with 1 if not.
set -euo pipefail
version=1.108.7
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "litellm==$version"
export LITELLM_LOCAL_MODEL_COST_MAP=True
"$folder/venv/bin/python" - <<'PY'
import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib.metadata import version

SENT = ["one", "two", "three", "four", "five", "six"]


class Recorder(BaseHTTPRequestHandler):
    stops = None

    def do_POST(self):
        Recorder.stops = json.loads(self.rfile.read(int(self.headers["content-length"]))).get("stop")
        choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "a five b"}}
        counts = {"prompt_tokens": 1, "completion_tokens": 3, "total_tokens": 4}
        reply = {"id": "1", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice], "usage": counts}
        data = json.dumps(reply).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_):
        pass


server = HTTPServer(("127.0.0.1", 0), Recorder)
threading.Thread(target=server.serve_forever, daemon=True).start()
import litellm

print("litellm", version("litellm"), "is asked with", SENT)
seen = []
for name in ("openai/m", "hosted_vllm/m"):
    reply = litellm.completion(
        model=name,
        api_base=f"http://127.0.0.1:{server.server_port}/v1",
        api_key="none",
        messages=[{"role": "user", "content": "count"}],
        stop=SENT,
    )
    print(f"{name}: the server was sent {Recorder.stops}, the text is {reply.choices[0].message.content!r}")
    seen.append(Recorder.stops)
sys.exit(0 if seen == [SENT[:4]] * 2 else 1)
PY
