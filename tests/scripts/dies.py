"""The scripted model of paper_like.py that logs every call and kills its process at a chosen one.

S2D_TEST_LOG names the log (one key a line), S2D_TEST_DIE_AT the call at which SIGKILL comes.
"""

from __future__ import annotations

import importlib.util
import os
import signal
from pathlib import Path

from harness.engines.scripted import ScriptedAdapter
from harness.types import Request

_found = importlib.util.spec_from_file_location("paper_like", Path(__file__).with_name("paper_like.py"))
assert _found is not None and _found.loader is not None
_paper_like = importlib.util.module_from_spec(_found)
_found.loader.exec_module(_paper_like)
_made = 0


def respond(request: Request, adapter: ScriptedAdapter | None) -> str:
    global _made
    _made += 1
    with Path(os.environ["S2D_TEST_LOG"]).open("a") as log:
        log.write(request.key + "\n")
    if _made == int(os.environ.get("S2D_TEST_DIE_AT", "0")):
        os.kill(os.getpid(), signal.SIGKILL)
    text: str = _paper_like.respond(request, adapter)
    return text
