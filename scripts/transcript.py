"""Put the real output of the README's command into the README, or say that it differs.

python scripts/transcript.py [--check]
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
BLOCK = re.compile(r"(<!-- transcript: begin -->\n)(.*?)(<!-- transcript: end -->)", re.DOTALL)
QUESTION = "When did the Trieste reach the bottom of the Challenger Deep?"
# What differs from run to run, or from place to place.
RUN_ID = re.compile(r"run r[0-9a-z]{12,20}")
SECONDS = re.compile(r"\b\d+\.\d s\b")


def transcript() -> str:
    """Run the command in an empty home and return what a reader sees."""
    command = [str(Path(sys.executable).parent / "leadline"), "ask", QUESTION, "--docs", "examples/corpus", "--quiet"]
    with tempfile.TemporaryDirectory() as home:
        plain = {k: v for k, v in os.environ.items() if not k.startswith(("LEADLINE_", "XDG_"))}
        done = subprocess.run(command, cwd=ROOT, env=plain | {"HOME": home}, capture_output=True, text=True, check=True)
    text = done.stdout.replace(str(ROOT) + "/", "")
    text = RUN_ID.sub("run r0000000000000000", SECONDS.sub("0.4 s", text))
    return f'```console\n$ leadline ask "{QUESTION}" --docs examples/corpus\n{text.rstrip()}\n```\n'


def main() -> int:
    """Write or compare."""
    readme = README.read_text(encoding="utf-8")
    wanted = BLOCK.sub(lambda m: m[1] + transcript() + m[3], readme)
    if "--check" in sys.argv[1:]:
        if wanted != readme:
            sys.stderr.write("the README's transcript is not what the command prints: run scripts/transcript.py\n")
        return int(wanted != readme)
    README.write_text(wanted, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
