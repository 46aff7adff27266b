"""What settings refuse or warn about, where each value may come from, and what never shows."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.errors import SettingsError
from reconciler.model.spec import is_name, is_root
from reconciler.redact import masked_url
from reconciler.settings.keys import is_target_name
from reconciler.settings.loading import Loaded, has_reference, load_settings, resolved
from reconciler.settings.model import BrokerSettings, SourceSettings
from reconciler.settings.parsing import BadValue, parse


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "reconciler.yaml"


def load(file: Path, text: str, **environ: str) -> Loaded:
    file.write_text(text)
    return load_settings(file, environ=environ)


def refusal(file: Path, text: str, **environ: str) -> str:
    with pytest.raises(SettingsError) as error:
        load(file, text, **environ)
    return f"{error.value}\n{error.value.fix}"


# -- the file


@pytest.mark.parametrize(
    ("text", "place", "what"),
    [
        ("a: &x 1\n", "1:1", "no such setting"),
        ("sync: &x {retries: 1}\n", "1:7", "has an anchor, alias or tag"),
        ("sync: {retries: &x 1, min_fleet: *x}\n", "1:34", "has an anchor, alias or tag"),
        ("sync: {retries: !!int 1}\n", "1:17", "has an anchor, alias or tag"),
        ("sync: {<<: {retries: 1}}\n", "1:8", "no such setting"),
        ("sync: {[1]: 1}\n", "1:8", "is no key"),
        ("sync: {retries: 1, retries: 2}\n", "1:20", "a second time"),
        ("sync.retries: 1\n", "1:1", "no such setting"),
        ("snyc: {retries: 1}\n", "1:1", "did you mean sync?"),
        ("sync: 5\n", "1:7", "is not a setting but a section"),
        ("sync: {retries: {a: 1}}\n", "1:18", "did you mean sync.retries?"),
        ("targets: {eu.x: {}}\n", "1:11", "no such setting"),
        ("targets: {'a b': {}}\n", "1:11", "letters, digits"),
        ("targets: {eu: {rot: x}}\n", "1:16", "did you mean targets.eu.root?"),
        ("[sync]\n", "1:1", "is not a setting"),
        ("sync: {}\n---\nsync: {}\n", "3:1", "a second document"),
        ("sync: {retries: 1\n", "2:1", "not YAML"),
        ("sync: {retries: 1.5}\n", "1:17", "not a whole number"),
        ("sync: {retries: 99999999999999999999}\n", "1:17", "not a whole number"),
        ("sync: {max_change_fraction: .nan}\n", "1:29", "not a number"),
        ("sync: {max_change_fraction: nan}\n", "1:29", "not a fraction"),
        ("sync: {interval: 0s}\n", "1:18", "not above 0"),
        ("sync: {interval: -5s}\n", "1:18", "not a time span"),
        ("source: {ref: -x}\n", "1:15", "not a branch, tag or commit"),
        ("source: {ref: ''}\n", "1:15", "is empty"),
        ("source: {path: ../x}\n", "1:16", "leads out of the repository"),
        ("source: {path: /x}\n", "1:16", "leads out of the repository"),
        ("source: {repository: 'http://x/y'}\n", "1:22", "no supported scheme"),
        ("source: {repository: 'git://x/y'}\n", "1:22", "use one of https, ssh, file"),
        ("targets: {a: {root: hb}, b: {root: hb}}\n", "1:36", "overlaps the root of target a"),
        ("targets: {a: {root: hb/x}, b: {root: hb}}\n", "1:38", "overlaps the root of target a"),
        ("targets: {a: {}, b: {}}\n", "1:21", "overlaps the root of target a"),
        ("broker: {api_key: '${env:K}'}\n", "1:19", "is set without broker.api_secret"),
        ("broker: {tls: {key_file: k}}\n", "1:26", "is set without broker.tls.cert_file"),
        ("notifications: {channels: [[x]]}\n", "1:28", "is not a setting"),
    ],
)  # fmt: skip
def test_what_is_refused_is_refused_at_its_place(file, text, place, what) -> None:
    message = refusal(file, text, K="key")

    assert f"reconciler.yaml:{place}: " in message
    assert what in message


@pytest.mark.parametrize(
    "text", ["", "# nothing\n", "---\n", "sync:\n", "sync: {interval: null}\n", "\ufeffsync: {}\r\n"]
)
def test_nothing_said_is_nothing_changed(file, text) -> None:
    assert load(file, text).settings.sync.interval_s == 300.0


def test_a_value_is_read_as_its_key_wants_it(file) -> None:
    settings = load(file, "source: {ref: 1.10, path: no}\nbroker: {username: 0123}").settings

    assert (settings.source.ref, settings.source.path) == ("1.10", "no")
    assert settings.broker.username == "0123"


def test_a_syntax_error_does_not_show_the_line(file) -> None:
    message = refusal(file, "broker: {password: 'hunter2' x}\n")

    assert "hunter2" not in message
    assert "reconciler.yaml:1:" in message


@pytest.mark.parametrize("content", [b"\xff\xfe", b"a: \x00", b"\x07"])
def test_a_file_that_is_no_text_is_refused(file, content) -> None:
    file.write_bytes(content)

    with pytest.raises(SettingsError):
        load_settings(file, environ={})


def test_problems_stand_in_the_order_of_the_file(file) -> None:
    message = refusal(file, "sync:\n  retries: x\n  auto: y\nsource: {ref: ''}\nz: 1\n")

    assert [line.split(":")[1] for line in message.splitlines() if "yaml:" in line] == ["2", "3", "4", "5"]


# -- the environment


def test_every_level_of_a_key_is_parted_by_two_underscores(file) -> None:
    settings = load(
        file,
        "",
        RECONCILER_BROKER__TLS__CA_FILE="/ca.pem",
        RECONCILER_TARGETS__DEFAULT__BASIC_WINDOW="5s",
        RECONCILER_NOTIFICATIONS__CHANNELS="discord, telegram",
    ).settings

    assert settings.broker.tls.ca_file == "/ca.pem"
    assert settings.targets["default"].basic_window_s == 5.0
    assert settings.notifications.channels == ("discord", "telegram")


def test_a_variable_reaches_a_target_whatever_the_case_of_its_name(file) -> None:
    settings = load(
        file, "targets: {EU-west: {root: eu}}", RECONCILER_TARGETS__EU_WEST__PROFILE="basic"
    ).settings

    assert list(settings.targets) == ["EU-west"]
    assert settings.targets["EU-west"].profile == "basic"


def test_an_unknown_variable_is_refused(file) -> None:
    message = refusal(file, "", RECONCILER_SYNC__RETRYS="1")

    assert "RECONCILER_SYNC__RETRYS: sync.retrys: there is no such setting" in message
    assert "did you mean sync.retries?" in message


def test_a_variable_with_one_underscore_too_few_is_warned_about(file) -> None:
    (warning,) = load(file, "", RECONCILER_BROKER_URL="mqtt://x", RECONCILER_OTHER="x").warnings

    assert "sets nothing" in warning.what
    assert warning.fix == "did you mean RECONCILER_BROKER__URL?"


def test_an_empty_variable_sets_nothing(file) -> None:
    assert (
        load(file, "", RECONCILER_BROKER__USERNAME="", RECONCILER_SYNC__RETRIES="").settings.sync.retries == 5
    )


# -- references


def test_a_reference_may_stand_within_a_value(file) -> None:
    settings = load(file, "broker: {url: 'mqtt://${env:HOST}:${env:PORT}'}", HOST="h", PORT="1").settings

    assert settings.broker.url == "mqtt://h:1"


def test_a_reference_that_something_else_comes_before_is_not_looked_up(file) -> None:
    loaded = load(file, "broker: {username: '${env:GONE}'}", RECONCILER_BROKER__USERNAME="me")

    assert loaded.settings.broker.username == "me"


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("$${env:A}", "${env:A}"),
        ("a$b", "a$b"),
        ("${env:A}${env:A}", "xx"),
        ("$", "$"),
        ("{env:A}", "{env:A}"),
    ],
)
def test_a_dollar_alone_is_itself_and_two_before_a_brace_are_one(text, meaning) -> None:
    assert resolved(text, {"A": "x"}, Path()) == meaning


@pytest.mark.parametrize("text", ["${A}", "${env:", "${vault:x}", "${env:}", "x${"])
def test_what_only_looks_like_a_reference_is_refused(text) -> None:
    with pytest.raises(BadValue, match="begins no reference"):
        resolved(text, {"A": "x"}, Path())


def test_what_a_reference_stands_for_is_not_looked_at_again() -> None:
    assert resolved("${env:A}", {"A": "${env:B}", "B": "x"}, Path()) == "${env:B}"


@pytest.mark.parametrize(("content", "value"), [("pw\n", "pw"), ("pw\r\n", "pw"), (" p w ", " p w ")])
def test_a_secret_s_file_may_end_with_a_line_end(tmp_path, content, value) -> None:
    (tmp_path / "secret").write_bytes(content.encode())

    assert resolved("${file:secret}", {}, tmp_path) == value


def test_a_secret_s_file_that_is_no_text_is_named(tmp_path) -> None:
    (tmp_path / "secret").write_bytes(b"\xff\xfe")

    with pytest.raises(BadValue, match="secret is not UTF-8"):
        resolved("${file:secret}", {}, tmp_path)


@pytest.mark.parametrize(
    "key",
    ["sync.retries", "sync.interval", "sync.auto", "sync.on_invalid", "broker.url", "targets.default.root",
     "notifications.level", "source.ref", "sync.max_change_fraction", "notifications.channels"],
)  # fmt: skip
def test_what_a_reference_stands_for_is_in_no_message(file, key) -> None:
    section, _, name = key.rpartition(".")
    if section == "targets.default":
        section, name = "targets", "default: {root"
    closing = "}}" if "{" in name else "}"
    message = refusal(file, f"{section}: {{{name}: '${{env:SECRET}}'{closing}\n", SECRET="hunter2 -x~/#")

    assert "hunter2" not in message
    assert key in message


# -- what shows


@given(st.text("abcXYZ019:/@?#%+", min_size=6))
def test_no_password_is_in_anything_that_can_be_printed(secret: str) -> None:
    secret = f"pw{secret}"
    broker = BrokerSettings(url="mqtts://me@host", password=secret, api_key=secret, api_secret=secret)

    assert secret not in repr(broker) + str(broker)


@pytest.mark.parametrize(
    "address",
    ["mqtt://me:s3cr3t@h:1", "https://s3cr3t@h/x.git", "https://me:a@s3cr3t@h/x.git", "ssh://me:s3cr3t@h/x"],
)
def test_an_address_never_shows_who_logs_in(file, address) -> None:
    loaded = load(file, "source: {repository: 'https://s3cr3t@h/x.git'}\nbroker: {url: 'mqtt://u:s3cr3t@h'}")

    assert "s3cr3t" not in masked_url(address)
    assert "s3cr3t" not in str(loaded.describe()) + str(loaded.warnings) + repr(loaded.settings)
    assert "s3cr3t" not in repr(SourceSettings(repository=address))
    assert [warning.path for warning in loaded.warnings] == ["source.repository", "broker.url"]


def test_every_setting_is_described_as_the_file_would_say_it(file) -> None:
    loaded = load(
        file, "sync: {auto: no, interval: 90s}\nbroker: {username: me}\ntargets: {eu: {root: hb/eu}}"
    )
    shown = {key: value for key, value, _ in loaded.describe()}

    assert shown["sync.auto"] == "false"
    assert shown["sync.interval"] == "90s"
    assert shown["broker.username"] == "me"
    assert shown["broker.password"] == ""
    assert shown["targets.eu.root"] == "hb/eu"
    assert shown["notifications.channels"] == "telegram, discord"
    assert "targets.default.root" not in shown


# -- places


def test_paths_are_made_whole(file) -> None:
    settings = load(file, "source: {repository: a/../b, path: ./bots/, allowed_signers: ~/signers}").settings

    assert settings.source.repository == str(file.parent / "b")
    assert settings.source.path == "bots"
    assert settings.source.allowed_signers == str(Path("~/signers").expanduser())
    assert settings.store.url == str(file.parent / ".reconciler" / "state.db")


def test_the_whole_repository_may_be_the_folder(file) -> None:
    assert load(file, "source: {path: .}").settings.source.path == ""


def test_a_store_in_memory_is_no_path(file) -> None:
    assert load(file, "store: {url: ':memory:'}").settings.store.url == ":memory:"


# -- held to what other parts take


@given(st.text("abZ9._-/ +#$é", max_size=70))
def test_roots_and_targets_are_those_that_the_wire_takes(text: str) -> None:
    try:
        accepted = parse("targets.default.root", text, "hummingbot") == text
    except BadValue:
        accepted = False

    assert accepted == is_root(text)
    assert is_target_name(text) == (is_name(text) and "." not in text)


def test_a_literal_that_stands_for_nothing_has_no_reference() -> None:
    assert has_reference("a${env:X}")
    assert not has_reference("$${env:X} ${ a")
