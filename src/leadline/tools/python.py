"""`python`: a program of the model's, run in the sandbox; what it printed and the files that it left."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from leadline.domain import Json, ToolResult, ToolSpec
from leadline.errors import ToolFailed
from leadline.ports import Blobs, CallContext, OutFile, Part, Program, Ran, Sandbox
from leadline.text.clean import neutralise
from leadline.tools.brief import brief

NAME: Final = "python"
TONGYI_NAME: Final = "PythonInterpreter"
"""The name under which Tongyi DeepResearch was trained to call it."""

SECONDS: Final = 60.0
# What the sandbox needs beyond the program's own time to start, end it and hand over its files.
_MARGIN: Final = 5.0
_LEAST: Final = 1.0
# Code points of one stream that are recorded, and that a model sees: the beginning and the end.
_STORED: Final = 65_536
_HEAD: Final = 8_000
_TAIL: Final = 4_000
_MOST_NAME: Final = 120
_SHOWN_FILES: Final = 20

_DESCRIPTION: Final = (
    "Run a Python program and return what it prints; use print() for every result that you need. "
    "numpy, pandas, scipy, sympy and matplotlib are there where they are installed. It has no network and "
    "no files but those it writes itself; figures and files in its working folder are kept."
)
_TRAINED: Final = """\
Executes Python code in a sandboxed environment. To use this tool, you must follow this format:
1. The 'arguments' JSON object must be empty: {}.
2. The Python code to be executed must be placed immediately after the JSON block, enclosed within <code> and </code> \
tags.

IMPORTANT: Any output you want to see MUST be printed to standard output using the print() function. \
Figures and files that the code writes into its working folder are kept. It has no network.

Example of a correct call:
<tool_call>
{"name": "PythonInterpreter", "arguments": {}}
<code>
import numpy as np
# Your code here
print(f"The result is: {np.mean([1,2,3])}")
</code>
</tool_call>"""
"""The tool in the words of the published format of Tongyi DeepResearch, which its models were trained on."""

_CODE: Final = "The whole program, in Python 3."
_CODE_APART: Final = "The program; it stands behind the JSON, between <code> and </code>, never in it."
_ENDS: Final[Mapping[str, str]] = {
    "time": "It was stopped: its time was over.",
    "memory": "It was stopped: it took more memory than it may.",
    "output": "It was stopped: it wrote too much output.",
    "disk": "It was stopped: its files grew too large.",
    "crash": "It ended its own sandbox; nothing more is known of it.",
}


class PythonTool:
    """Runs programs in `sandbox` and stores their files in `blobs`.

    It is idempotent: a sandboxed program has no network and no lasting files, so that nothing
    outside can tell whether it ran once or twice, and a call that was in flight when its worker
    died is simply made again. Its plots and files are no sources: what a model computed is not
    evidence that a report may cite; a report shows them as what they are, with the program that
    made them, whose text is stored beside them. `keeps_state` lets the programs of one run share their names
    and files. `name` is `TONGYI_NAME` for a model that knows it so.
    """

    aliases: tuple[str, ...] = (TONGYI_NAME,)

    def __init__(
        self,
        sandbox: Sandbox,
        blobs: Blobs,
        *,
        seconds: float = SECONDS,
        keeps_state: bool = False,
        name: str = NAME,
    ) -> None:
        self._sandbox = sandbox
        self._blobs = blobs
        self._seconds = seconds
        self._keeps_state = keeps_state
        self._name = name

    @property
    def spec(self) -> ToolSpec:
        """See `ports.Tool`."""
        state = " Names and files of your earlier programs are still there." if self._keeps_state else ""
        trained = self._name == TONGYI_NAME
        return ToolSpec(
            name=self._name,
            description=(_TRAINED if trained else _DESCRIPTION) + state,
            parameters={
                "type": "object",
                "properties": {
                    "code": {"type": "string", "minLength": 1, "description": _CODE_APART if trained else _CODE},
                },
                "required": ["code"],
                "additionalProperties": False,
            },
            idempotent=True,
        )

    async def call(self, arguments: Mapping[str, Json], context: CallContext) -> ToolResult:
        """See `ports.Tool`: a program that fails is a result, with its traceback."""
        seconds = min(self._seconds, context.deadline - _MARGIN)
        if seconds < _LEAST:
            raise ToolFailed(f"no time is left to run a program: {context.deadline:.3g} s")
        session = session_of(context.tenant, context.run_id) if self._keeps_state else None
        program = Program(code=str(arguments["code"]), timeout=seconds, session=session, tenant=context.tenant)
        ran = await self._sandbox.run(program)
        files = [await self._store(file, context.tenant) for file in ran.files]
        value = self._value(ran, files)
        if files:
            text = program.code.encode("utf-8", "replace")
            value["program"] = await self._blobs.put(context.tenant, text)
        return ToolResult(value=value)

    def render(self, value: Json, texts: Mapping[str, str]) -> str:
        """Return the program's output between marks, its end, and its files by name."""
        del texts
        ran: dict[str, Any] = value if isinstance(value, dict) else {}
        lines: list[str] = []
        if ran.get("fresh") is True:
            lines.append("(A fresh interpreter: names and files of earlier programs are gone.)")
        cut = ran["truncated"]
        lines += _stream("stdout", ran["stdout"], cut) + _stream("stderr", ran["stderr"], cut)
        if not ran["stdout"] and not ran["stderr"]:
            lines.append("It printed nothing.")
        if ran["killed_by"] is not None:
            lines.append(_ENDS.get(ran["killed_by"], "It was stopped."))
        elif ran["exit"]:
            lines.append(f"It failed with exit status {ran['exit']}.")
        return "\n".join([*lines, *_files(ran["files"], left_out="files" in cut)])

    async def _store(self, file: OutFile, tenant: str) -> Json:
        sha256 = await self._blobs.put(tenant, file.data)
        return {"name": file.name, "sha256": sha256, "size": len(file.data), "media_type": file.media_type}

    def _value(self, ran: Ran, files: list[Json]) -> dict[str, Json]:
        truncated: list[Part] = list(ran.truncated)
        streams: tuple[tuple[Part, str], ...] = (("stdout", ran.stdout), ("stderr", ran.stderr))
        truncated += [part for part, text in streams if len(text) > _STORED and part not in truncated]
        value: dict[str, Json] = {
            "stdout": ran.stdout[:_STORED],
            "stderr": ran.stderr[:_STORED],
            "exit": ran.exit,
            "files": files,
            "truncated": sorted(truncated),
            "killed_by": ran.killed_by,
        }
        return value | {"fresh": ran.fresh} if self._keeps_state else value


def session_of(tenant: str, run_id: str) -> str:
    """Return the name under which the programs of one run share an interpreter."""
    return f"{tenant}/{run_id}"


def _stream(name: str, text: str, truncated: list[str]) -> list[str]:
    if not text:
        return []
    text = text.rstrip("\n")
    hidden = len(text) - _HEAD - _TAIL
    if hidden > 0:
        text = f"{text[:_HEAD]}\n[... {hidden} characters left out ...]\n{text[-_TAIL:]}"
    ending = " (the rest was cut off)" if name in truncated else ""
    return [f"<<{name}>>", neutralise(text), f"<<end of {name}{ending}>>"]


def _files(files: list[Mapping[str, Any]], *, left_out: bool) -> list[str]:
    lines = [
        f"file: {brief(file['name'], _MOST_NAME)} ({file['media_type']}, {file['size']} bytes)"
        for file in files[:_SHOWN_FILES]
    ]
    return (
        [*lines, "(Further files were too many, too large or not plainly named, and are gone.)"] if left_out else lines
    )
