"""llama.cpp's own server, out of the package xllamacpp; ends with the process.

    .venv-servers/bin/python tests/llama_command.py MODEL.gguf --port 8080 --slots 8 --context 16384

It imports nothing of this project, so it runs in the servers' environment.
"""

from __future__ import annotations

import argparse
import signal

import xllamacpp


def main() -> None:
    """Serve until a signal comes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--alias", default="model", help="its name in requests")
    parser.add_argument("--context", type=int, default=4096, help="tokens of all slots together")
    parser.add_argument("--slots", type=int, default=4, help="requests at once")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--lora", help="an adapter; applied where a request's field lora says so")
    parser.add_argument("--key", help="what requests have to show; to try a key, never for a secret")
    given = parser.parse_args()

    settings = xllamacpp.CommonParams()
    settings.model.path = given.model
    settings.model_alias = {given.alias}
    settings.port = given.port
    settings.n_ctx = given.context
    settings.n_parallel = given.slots
    settings.cpuparams.n_threads = settings.cpuparams_batch.n_threads = given.threads
    settings.endpoint_metrics = settings.endpoint_slots = settings.endpoint_props = True
    if given.lora:
        settings.lora_adapters = [xllamacpp.CommonAdapterLoraInfo(given.lora, 0.0)]
    if given.key:
        settings.api_keys = [given.key]
    server = xllamacpp.Server(settings)
    print(f"listening on {server.listening_address}", flush=True)
    signal.sigwait({signal.SIGINT, signal.SIGTERM})


if __name__ == "__main__":
    main()
