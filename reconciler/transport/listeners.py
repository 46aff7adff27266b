"""Who is told of messages and of the connection. What a listener does wrong stays with it."""

from __future__ import annotations

import asyncio

from reconciler.transport.base import Message, OnConnection, OnMessage


class Listeners:
    """The callbacks of one transport, called in the order in which they came."""

    def __init__(self) -> None:
        self._on_message: list[OnMessage] = []
        self._on_connection: list[OnConnection] = []

    def add_message(self, callback: OnMessage) -> None:
        self._on_message.append(callback)

    def add_connection(self, callback: OnConnection) -> None:
        self._on_connection.append(callback)

    def message(self, message: Message) -> None:
        """Hand over one message."""
        for callback in self._on_message:
            try:
                callback(message)
            except Exception as error:  # noqa: BLE001  goes to the loop's handler: rule 4 of base.py
                report(error, f"a listener failed on a message from {message.topic}")

    def connection(self, connected: bool, reason: str) -> None:
        """Tell of a connection made, lost or refused."""
        for callback in self._on_connection:
            try:
                callback(connected, reason)
            except Exception as error:  # noqa: BLE001  as above
                report(error, "a listener failed on a change of the connection")


def report(error: BaseException, what: str) -> None:
    """Give an exception that nobody waits for to the running loop's exception handler."""
    asyncio.get_running_loop().call_exception_handler({"message": what, "exception": error})
