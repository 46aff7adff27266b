"""One plan, or one pass, from a snapshot of Git and of the bots: what `plan` and `apply` run."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import msgspec

from reconciler.app import App, open_app
from reconciler.cli.failure import print_problems
from reconciler.cli.render.plan import CheckedPlan, plan_text
from reconciler.cli.snapshot import load_and_settle
from reconciler.cli.terminal import StepCount, ask, stop_on_signals, waiting
from reconciler.errors import PlanRefused, ReconcilerError
from reconciler.model.change import Plan
from reconciler.model.report import SyncReport
from reconciler.model.state import Desired
from reconciler.plan.brakes import check
from reconciler.plan.planner import PlanOptions
from reconciler.plan.saved import refuse_if_moved
from reconciler.settings.model import Settings


class ApplyRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What `apply` was asked to do. `show`: where the plan is printed before anything is done. `command`: how to
    ask for the same again.
    """

    saved: Plan | None
    adopt: bool
    yes: bool
    wait_s: float | None
    show: Callable[[str], None]
    command: str


async def plan_once(settings: Settings, wait_s: float | None, *, adopt: bool, command: str) -> CheckedPlan:
    """What it would take now. `command`: what would apply it.

    Raises:
        ReconcilerError: Git or the broker is out of reach, or files are wrong.
    """
    async with open_app(settings, stop=asyncio.Event()) as app:
        desired = await load_and_settle(app, wait_s)
        print_problems(desired.problems)
        plan = app.reconciler.plan(desired, app.reconciler.options(adopt=adopt))
        return CheckedPlan(plan, _refusal(plan, app, desired, command))


def _refusal(plan: Plan, app: App, desired: Desired, command: str) -> str:
    try:
        check(plan, app.settings.sync, fleet=len(desired.specs), command=command)
    except PlanRefused as refusal:
        return str(refusal)
    return ""


async def apply_once(settings: Settings, request: ApplyRequest) -> SyncReport:
    """Show what it takes, ask if need be, and do it.

    Raises:
        PlanStale: the bots or the commit are no longer as in the plan that was saved or shown.
        ReconcilerError: Git or the broker is out of reach, files are wrong, or the answer was no.
    """
    stop = asyncio.Event()
    async with open_app(settings, stop=stop) as app:
        desired = await load_and_settle(app, request.wait_s)
        print_problems(desired.problems)
        run = _ApplyRun(app, desired, request)
        plan = run.plan()
        made = CheckedPlan(plan, _refusal(plan, app, desired, request.command))
        request.show(plan_text(made, "text", tree=settings.source.path))
        if made.refused or not plan.acting:
            return SyncReport(plan, refused=made.refused)
        if not request.yes:
            await run.agree(plan)
        stop_on_signals(stop)
        with waiting("applying …") as show:
            return await run.apply(StepCount(plan, show))


class _ApplyRun:
    """One `apply`: the same plan each time that it is worked out, or a refusal."""

    def __init__(self, app: App, desired: Desired, request: ApplyRequest) -> None:
        self._app = app
        self._desired = desired
        self._request = request
        saved = request.saved
        self._only = frozenset(change.key for change in saved.acting) if saved else None

    def plan(self) -> Plan:
        """What is to be done now; of a saved plan's strategies only, if there is one.

        Raises:
            PlanStale: it is not what was saved.
        """
        plan = self._app.reconciler.plan(self._desired, self._options(), only=self._only)
        if self._request.saved is not None:
            refuse_if_moved(self._request.saved, plan)
        return plan

    def _options(self) -> PlanOptions:
        """A saved plan brings along whom it takes over."""
        options = self._app.reconciler.options(adopt=self._request.adopt)
        if self._only is None:
            return options
        return msgspec.structs.replace(options, adopt=frozenset(map(str, self._only)))

    async def agree(self, shown: Plan) -> None:
        """Ask, and see that nothing moved meanwhile.

        Raises:
            ReconcilerError: the answer is no.
            PlanStale: what would be done now is no longer what was shown.
        """
        if not await ask("Apply this?"):
            raise ReconcilerError("nothing was done")
        now = self.plan()
        refuse_if_moved(shown, now)
        refuse_if_moved(now, shown)

    async def apply(self, progress: StepCount) -> SyncReport:
        return await self._app.reconciler.run(
            self._desired, self._options(), progress=progress, only=self._only
        )
