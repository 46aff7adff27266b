"""
(state of the bot, wish of Git) → commands, as tables. Nothing else; a test walks every pair.

WAIT stands where a bot is on its way and a command would only meet it halfway. What lowers risk waits for
nothing: a bot that is starting is stopped at once when Git wants it stopped or gone.
"""

from __future__ import annotations

from typing import Final, TypeAlias

from reconciler.model.change import Op
from reconciler.model.spec import Wish
from reconciler.model.state import Lifecycle

Ops: TypeAlias = tuple[Op, ...]
Table: TypeAlias = dict[tuple[Lifecycle, Wish], Ops | None]

WAIT: Final = None

_RUNNING, _PAUSED, _STOPPED = Wish.RUNNING, Wish.PAUSED, Wish.STOPPED

CREATE: dict[Wish, Ops] = {
    _RUNNING: (Op.CREATE, Op.START),
    _PAUSED: (Op.CREATE, Op.START, Op.PAUSE),
    _STOPPED: (Op.CREATE,),
}
"""There is no bot yet."""

DELETE: dict[Lifecycle, Ops | None] = {
    Lifecycle.RUNNING: (Op.STOP, Op.DELETE),
    Lifecycle.PAUSED: (Op.STOP, Op.DELETE),
    Lifecycle.STOPPED: (Op.DELETE,),
    Lifecycle.STARTING: (Op.STOP, Op.DELETE),
    Lifecycle.STOPPING: WAIT,
    Lifecycle.ERROR: (Op.STOP, Op.DELETE),
}
"""Git no longer has the strategy."""

MOVE: Table = {
    (Lifecycle.RUNNING, _RUNNING): (),
    (Lifecycle.RUNNING, _PAUSED): (Op.PAUSE,),
    (Lifecycle.RUNNING, _STOPPED): (Op.STOP,),
    (Lifecycle.PAUSED, _RUNNING): (Op.RESUME,),
    (Lifecycle.PAUSED, _PAUSED): (),
    (Lifecycle.PAUSED, _STOPPED): (Op.STOP,),
    (Lifecycle.STOPPED, _RUNNING): (Op.START,),
    (Lifecycle.STOPPED, _PAUSED): (Op.START, Op.PAUSE),
    (Lifecycle.STOPPED, _STOPPED): (),
    (Lifecycle.STARTING, _RUNNING): WAIT,
    (Lifecycle.STARTING, _PAUSED): WAIT,
    (Lifecycle.STARTING, _STOPPED): (Op.STOP,),
    (Lifecycle.STOPPING, _RUNNING): WAIT,
    (Lifecycle.STOPPING, _PAUSED): WAIT,
    (Lifecycle.STOPPING, _STOPPED): WAIT,
    (Lifecycle.ERROR, _RUNNING): (Op.STOP, Op.START),
    (Lifecycle.ERROR, _PAUSED): (Op.STOP, Op.START, Op.PAUSE),
    (Lifecycle.ERROR, _STOPPED): (Op.STOP,),
}
"""Only the state differs. A bot in error is started again only on a changed spec or a person's word."""

UPDATE_HOT: Table = {
    (Lifecycle.RUNNING, _RUNNING): (Op.UPDATE,),
    (Lifecycle.RUNNING, _PAUSED): (Op.PAUSE, Op.UPDATE),
    (Lifecycle.RUNNING, _STOPPED): (Op.STOP, Op.UPDATE),
    (Lifecycle.PAUSED, _RUNNING): (Op.UPDATE, Op.RESUME),
    (Lifecycle.PAUSED, _PAUSED): (Op.UPDATE,),
    (Lifecycle.PAUSED, _STOPPED): (Op.STOP, Op.UPDATE),
    (Lifecycle.STOPPED, _RUNNING): (Op.UPDATE, Op.START),
    (Lifecycle.STOPPED, _PAUSED): (Op.UPDATE, Op.START, Op.PAUSE),
    (Lifecycle.STOPPED, _STOPPED): (Op.UPDATE,),
    (Lifecycle.STARTING, _RUNNING): WAIT,
    (Lifecycle.STARTING, _PAUSED): WAIT,
    (Lifecycle.STARTING, _STOPPED): (Op.STOP, Op.UPDATE),
    (Lifecycle.STOPPING, _RUNNING): WAIT,
    (Lifecycle.STOPPING, _PAUSED): WAIT,
    (Lifecycle.STOPPING, _STOPPED): WAIT,
    (Lifecycle.ERROR, _RUNNING): (Op.STOP, Op.UPDATE, Op.START),
    (Lifecycle.ERROR, _PAUSED): (Op.STOP, Op.UPDATE, Op.START, Op.PAUSE),
    (Lifecycle.ERROR, _STOPPED): (Op.STOP, Op.UPDATE),
}
"""Config differs in fields that a running bot takes: lower the state first, raise it last."""

UPDATE_RESTART: Table = {
    **UPDATE_HOT,
    (Lifecycle.RUNNING, _RUNNING): (Op.STOP, Op.UPDATE, Op.START),
    (Lifecycle.RUNNING, _PAUSED): (Op.STOP, Op.UPDATE, Op.START, Op.PAUSE),
    (Lifecycle.PAUSED, _RUNNING): (Op.STOP, Op.UPDATE, Op.START),
    (Lifecycle.PAUSED, _PAUSED): (Op.STOP, Op.UPDATE, Op.START, Op.PAUSE),
}
"""Config differs in a field that only a stopped bot takes: as hot, but through a stop."""

RECREATE: Table = {
    (Lifecycle.RUNNING, _RUNNING): (Op.STOP, Op.DELETE, Op.CREATE, Op.START),
    (Lifecycle.RUNNING, _PAUSED): (Op.STOP, Op.DELETE, Op.CREATE, Op.START, Op.PAUSE),
    (Lifecycle.RUNNING, _STOPPED): (Op.STOP, Op.DELETE, Op.CREATE),
    (Lifecycle.PAUSED, _RUNNING): (Op.STOP, Op.DELETE, Op.CREATE, Op.START),
    (Lifecycle.PAUSED, _PAUSED): (Op.STOP, Op.DELETE, Op.CREATE, Op.START, Op.PAUSE),
    (Lifecycle.PAUSED, _STOPPED): (Op.STOP, Op.DELETE, Op.CREATE),
    (Lifecycle.STOPPED, _RUNNING): (Op.DELETE, Op.CREATE, Op.START),
    (Lifecycle.STOPPED, _PAUSED): (Op.DELETE, Op.CREATE, Op.START, Op.PAUSE),
    (Lifecycle.STOPPED, _STOPPED): (Op.DELETE, Op.CREATE),
    (Lifecycle.STARTING, _RUNNING): WAIT,
    (Lifecycle.STARTING, _PAUSED): WAIT,
    (Lifecycle.STARTING, _STOPPED): (Op.STOP, Op.DELETE, Op.CREATE),
    (Lifecycle.STOPPING, _RUNNING): WAIT,
    (Lifecycle.STOPPING, _PAUSED): WAIT,
    (Lifecycle.STOPPING, _STOPPED): WAIT,
    (Lifecycle.ERROR, _RUNNING): (Op.STOP, Op.DELETE, Op.CREATE, Op.START),
    (Lifecycle.ERROR, _PAUSED): (Op.STOP, Op.DELETE, Op.CREATE, Op.START, Op.PAUSE),
    (Lifecycle.ERROR, _STOPPED): (Op.STOP, Op.DELETE, Op.CREATE),
}
"""What cannot change in place."""
