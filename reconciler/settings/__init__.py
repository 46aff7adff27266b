"""reconciler.yaml + environment + flags → Settings. The only place that knows where a setting came from."""

from reconciler.settings.loading import Loaded, load_settings
from reconciler.settings.masking import masked_url
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

__all__ = [
    "BrokerSettings",
    "Loaded",
    "NotificationSettings",
    "Settings",
    "SourceSettings",
    "StoreSettings",
    "SyncSettings",
    "TargetSettings",
    "TlsSettings",
    "load_settings",
    "masked_url",
]
