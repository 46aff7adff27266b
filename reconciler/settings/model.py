"""What can be set, and the defaults: durations in seconds, secrets in clear. Values only: no loading, no checks."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from reconciler.redact import masked_url


class SourceSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Where the desired state is. `interval_s`: seconds between looks at a remote."""

    repository: str = "."
    ref: str = "main"
    path: str = "strategies"
    interval_s: float = 60.0
    worktree: bool = False
    allowed_signers: str | None = None

    def __repr__(self) -> str:
        """Without the credentials that an address may have."""
        return f"{type(self).__name__}({masked_url(self.repository)!r}, ref={self.ref!r}, path={self.path!r})"


class TlsSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Files for `mqtts:`; None takes the system's authorities and no client certificate."""

    ca_file: str | None = None
    cert_file: str | None = None
    key_file: str | None = None


class BrokerSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How to reach MQTT. `url`: mqtt:, mqtts:, embedded: or memory:."""

    url: str = "mqtt://localhost:1883"
    username: str | None = None
    password: str | None = None
    api_key: str | None = None
    api_secret: str | None = None
    tls: TlsSettings = TlsSettings()
    connect_timeout_s: float = 10.0

    def __repr__(self) -> str:
        """Without secrets, since it may come into a log or a traceback."""
        return f"{type(self).__name__}({masked_url(self.url)!r})"


class TargetSettings(msgspec.Struct, frozen=True, kw_only=True):
    """One root of topics. `profile`: auto, basic or extended."""

    root: str = "hummingbot"
    profile: str = "auto"
    basic_window_s: float = 30.0


class SyncSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How a pass behaves; brakes refuse whole plans (plan.md, Brakes)."""

    auto: bool = True
    prune: bool = True
    self_heal: bool = True
    interval_s: float = 300.0
    on_invalid: str = "reject"
    max_deletes: int = 3
    max_change_fraction: float = 0.3
    min_fleet: int = 10
    max_restarts: int = 5
    step_timeout_s: float = 30.0
    retries: int = 5
    concurrency: int = 100


class NotificationSettings(msgspec.Struct, frozen=True, kw_only=True):
    channels: tuple[str, ...] = ("telegram", "discord")
    level: str = "INFO"


class StoreSettings(msgspec.Struct, frozen=True, kw_only=True):
    url: str = ".reconciler/state.db"


OFF, WARNING, ERROR = "off", "warning", "error"
"""What a rule does to files that break it."""

DEFAULT_FEES = "default"
"""The row of `fees` for exchanges without one of their own."""


class TotalRow(msgspec.Struct, frozen=True, kw_only=True):
    """The most that strategies may order on one exchange and pair together; `*` stands for any letters.

    `base`, `quote`: in that asset of the pair. `severity`: None takes the policy's.
    """

    exchange: str = "*"
    trading_pair: str = "*"
    base: Decimal | None = None
    quote: Decimal | None = None
    severity: str | None = None


class LimitRow(msgspec.Struct, frozen=True, kw_only=True):
    """Bounds of one config field where it trades on a pair. `field`: `config.` and the field's name.

    `min`, `max`: numbers in the field's own unit, or with % or bps.
    """

    field: str = ""
    exchange: str = "*"
    trading_pair: str = "*"
    min: str | None = None
    max: str | None = None
    severity: str | None = None


class FeeRow(msgspec.Struct, frozen=True, kw_only=True):
    """What an exchange takes of each trade, in percent. None: nobody said."""

    maker: Decimal | None = None
    taker: Decimal | None = None


class PolicySettings(msgspec.Struct, frozen=True, kw_only=True):
    """`severity`: of all rules that have none of their own. `fees`: by exchange."""

    severity: str = ERROR
    exclusive_markets: str = OFF
    max_leverage: Decimal | None = None
    allowed_exchanges: tuple[str, ...] = ()
    allowed_strategy_types: tuple[str, ...] = ()
    required_labels: tuple[str, ...] = ()
    require_owner: bool = False
    max_total_amount: tuple[TotalRow, ...] = ()
    limits: tuple[LimitRow, ...] = ()
    fees: dict[str, FeeRow] = {}


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """All settings, resolved: durations in seconds, secrets filled in.

    `hummingbot_version`: whose schemas files are checked against. `schemas`: a folder with more of them, such as
    those of a team's own controllers.
    """

    hummingbot_version: str = "20260922"
    schemas: str | None = None

    source: SourceSettings = SourceSettings()
    broker: BrokerSettings = BrokerSettings()
    targets: dict[str, TargetSettings] = msgspec.field(default_factory=lambda: {"default": TargetSettings()})
    sync: SyncSettings = SyncSettings()
    policy: PolicySettings = PolicySettings()
    notifications: NotificationSettings = NotificationSettings()
    store: StoreSettings = StoreSettings()
