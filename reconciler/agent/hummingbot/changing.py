"""Other values for a bot that runs: given, and seen to be taken, or everything as before."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping

from reconciler.agent.hummingbot.bot import Bot
from reconciler.agent.hummingbot.inside import Bridge, Inside, Unanswered
from reconciler.agent.hummingbot.options import Patience
from reconciler.agent.hummingbot.taken import changed_fields, is_controller, not_taken
from reconciler.agent.model import Strategy
from reconciler.agent.responses import Refusal
from reconciler.catalog import Catalog
from reconciler.protocol.codes import ErrorCode


class Change:
    """How bots of one agent are changed while they run."""

    def __init__(
        self, catalog: Catalog, inside: Inside, patience: Patience, clock: Callable[[], float]
    ) -> None:
        self._catalog = catalog
        self._inside = inside
        self._patience = patience
        self._clock = clock

    async def give(self, bot: Bot, bridge: Bridge, strategy: Strategy, fields: Mapping[str, object]) -> None:
        """Make a bot run with `fields` of `strategy`; if it does not take them, it is as before.

        Raises:
            Refusal: TIMEOUT: it did not answer; INVALID_CONFIG: it runs with something else.
        """
        before = bot.record.strategy
        try:
            await self._give(bot, bridge, strategy, fields)
        except BaseException:
            self._inside.rewrite(bot.home.root, before)
            if not is_controller(self._catalog, strategy):
                with contextlib.suppress(Unanswered):
                    await bridge.configure(changed_fields(self._catalog, strategy, before))
            raise

    async def _give(self, bot: Bot, bridge: Bridge, strategy: Strategy, fields: Mapping[str, object]) -> None:
        try:
            if is_controller(self._catalog, strategy):
                self._inside.rewrite(bot.home.root, strategy)
            else:
                await bridge.configure(fields)
            wrong = await self._not_taken(bridge, fields)
        except Unanswered as error:
            raise Refusal(ErrorCode.TIMEOUT, f"the bot did not take the config: {error}") from error
        if wrong:
            raise Refusal(ErrorCode.INVALID_CONFIG, f"the bot did not take it: {'; '.join(wrong)}")

    async def _not_taken(self, bridge: Bridge, fields: Mapping[str, object]) -> list[str]:
        """What it still does not run with when its time is up; controllers read their file every 10 s."""
        deadline = self._clock() + self._patience.taken_s
        while (wrong := not_taken(fields, await bridge.config())) and self._clock() < deadline:  # noqa: ASYNC110  (asks the bot)
            await asyncio.sleep(self._patience.settle_s)
        return wrong
