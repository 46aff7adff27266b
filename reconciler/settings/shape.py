"""What can be set, and the defaults: durations in seconds, secrets in clear. No reading, no checking."""

from __future__ import annotations

import msgspec

from reconciler.settings.masking import masked_url
from reconciler.settings.policy import PolicySettings


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
    """How a pass behaves; brakes refuse whole plans (design.md, Plan, rule 6)."""

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
