"""The language server that editors ask about YAML files (npm `yaml-language-server`), driven as an editor does."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

SERVER = Path("node_modules") / "yaml-language-server" / "bin" / "yaml-language-server"
LIMIT_S = 60.0
"""Of each answer; Node alone takes seconds to start on a busy machine."""

SETTINGS = {
    "yaml": {
        "validate": True,
        "hover": True,
        "completion": True,
        "schemaStore": {"enable": False},  # it would ask the network for other people's schemas
    },
    "http": {},
    "[yaml]": {},
}


class LanguageServer:
    """One server process. Places count from 0, as in the protocol."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._ids = itertools.count(1)
        self._answers: dict[int, asyncio.Future[Any]] = {}
        self._diagnostics: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._version = itertools.count(1)

    # -- what an editor does

    async def initialize(self, folder: Path) -> dict[str, Any]:
        """Greet the server; what it says that it can do."""
        place = {"uri": folder.as_uri(), "name": folder.name}
        capabilities = {
            "textDocument": {
                "hover": {"contentFormat": ["markdown", "plaintext"]},
                "completion": {"completionItem": {"documentationFormat": ["markdown"]}},
                "publishDiagnostics": {},
            },
            "workspace": {"configuration": True, "workspaceFolders": True},
        }
        answer: dict[str, Any] = await self.ask(
            "initialize",
            {
                "processId": None,
                "rootUri": place["uri"],
                "workspaceFolders": [place],
                "capabilities": capabilities,
            },
        )
        self.tell("initialized", {})
        self.tell("workspace/didChangeConfiguration", {"settings": SETTINGS})
        return answer["capabilities"]  # type: ignore[no-any-return]

    def open(self, file: Path) -> None:
        """Show the server a file as it stands on disk."""
        document = {
            "uri": file.as_uri(),
            "languageId": "yaml",
            "version": next(self._version),
            "text": file.read_text(),
        }
        self.tell("textDocument/didOpen", {"textDocument": document})

    def change(self, file: Path, text: str) -> None:
        """Say that the editor's text of an open file is another one now."""
        document = {"uri": file.as_uri(), "version": next(self._version)}
        self.tell("textDocument/didChange", {"textDocument": document, "contentChanges": [{"text": text}]})

    async def hover(self, file: Path, line: int, column: int) -> str:
        """What the editor shows next to the pointer."""
        found = await self.ask("textDocument/hover", _place(file, line, column))
        return str(found["contents"]["value"]) if found else ""

    async def complete(self, file: Path, line: int, column: int) -> dict[str, dict[str, Any]]:
        """What the editor offers to write, by its label."""
        found = await self.ask("textDocument/completion", _place(file, line, column))
        return {item["label"]: item for item in found["items"]}

    async def diagnostics(self, file: Path) -> list[dict[str, Any]]:
        """The next findings that the server reports about a file, by itself, after it was opened or changed."""
        async with asyncio.timeout(LIMIT_S):
            while (found := await self._diagnostics.get())["uri"] != file.as_uri():
                pass
        return found["diagnostics"]  # type: ignore[no-any-return]

    # -- the protocol

    async def ask(self, method: str, params: object) -> Any:
        """Make a request; its result."""
        number = next(self._ids)
        answer = self._answers[number] = asyncio.get_running_loop().create_future()
        self._send({"id": number, "method": method, "params": params})
        return await asyncio.wait_for(answer, LIMIT_S)

    def tell(self, method: str, params: object) -> None:
        """Send a notification."""
        self._send({"method": method, "params": params})

    def _send(self, message: dict[str, Any]) -> None:
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        assert self._process.stdin is not None
        self._process.stdin.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))

    async def listen(self) -> None:
        """Take what the server sends, until it ends."""
        assert self._process.stdout is not None
        with contextlib.suppress(asyncio.IncompleteReadError):
            while True:
                headers = await self._process.stdout.readuntil(b"\r\n\r\n")
                length = headers.lower().partition(b"content-length:")[2].split()[0]
                self._take(json.loads(await self._process.stdout.readexactly(int(length))))
        for answer in self._answers.values():
            answer.cancel()

    def _take(self, message: dict[str, Any]) -> None:
        method, number = message.get("method"), message.get("id")
        if method is None and number is not None:
            answer = self._answers.pop(number)
            assert "error" not in message, message["error"]
            answer.set_result(message["result"])
        elif method == "textDocument/publishDiagnostics":
            self._diagnostics.put_nowait(message["params"])
        elif method is not None and number is not None:
            self._send({"id": number, "result": _reply(method, message.get("params"))})


def _reply(method: str, params: Any) -> object:
    """What an editor answers to the server's own requests."""
    if method == "workspace/configuration":
        return [SETTINGS.get(item.get("section")) for item in params["items"]]
    return None


def _place(file: Path, line: int, column: int) -> dict[str, Any]:
    return {"textDocument": {"uri": file.as_uri()}, "position": {"line": line, "character": column}}


@contextlib.asynccontextmanager
async def language_server(node: Path, folder: Path) -> AsyncIterator[LanguageServer]:
    """A server for the files of `folder`, greeted; `node`: where its package is installed."""
    process = await asyncio.create_subprocess_exec(
        "node",
        str(node / SERVER),
        "--stdio",
        cwd=folder,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    server = LanguageServer(process)
    listening = asyncio.create_task(server.listen())
    try:
        await server.initialize(folder)
        yield server
    finally:
        process.kill()
        await process.wait()
        await listening
