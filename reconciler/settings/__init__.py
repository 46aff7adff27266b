"""reconciler.yaml + environment + flags → Settings. The only place that knows where a setting came from."""

from reconciler.settings.loading import Loaded, load_settings
from reconciler.settings.masking import masked_url
from reconciler.settings.policy import FeeRow, LimitRow, PolicySettings, TotalRow
from reconciler.settings.shape import (
    BrokerSettings,
    NotificationSettings,
    Settings,
    SourceSettings,
    StoreSettings,
    SyncSettings,
    TargetSettings,
    TlsSettings,
)
from reconciler.settings.showing import shown_text

__all__ = [
    "BrokerSettings",
    "FeeRow",
    "LimitRow",
    "Loaded",
    "NotificationSettings",
    "PolicySettings",
    "Settings",
    "SourceSettings",
    "StoreSettings",
    "SyncSettings",
    "TargetSettings",
    "TlsSettings",
    "TotalRow",
    "load_settings",
    "masked_url",
    "shown_text",
]
