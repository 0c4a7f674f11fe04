"""The settings: files, key, participant, database."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import TYPE_CHECKING

from tael.cli.checks.check import Check, Status
from tael.errors import ConfigurationError, MissingExtraError, StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tael.cli.session import Session


def look_at_settings(session: Session) -> Iterator[Check]:
    """Whether the settings can be read, and the files they name are there and closed to others."""
    path = session.options.env_file or Path(".env")
    try:
        settings = session.settings
    except ConfigurationError as error:
        yield Check("settings", "fail", error.message, "Correct it; nothing else could be checked.")
        return
    where = str(path) if path.is_file() else "the environment alone"
    yield Check("settings", "ok", f"{settings}, from {where}")
    for name in ("keystore", "plan", "manifest"):
        file: Path | None = getattr(settings, name)
        if file is not None and not file.is_file():
            status: Status = "warn" if name == "manifest" else "fail"
            yield Check(name, status, f"there is no file {file}", f"Correct TAEL_{name.upper()}.")
    password_file = session.variables.get("TAEL_KEYSTORE_PASSWORD_FILE")
    secrets = [settings.keystore, session.options.key.keystore]
    secrets.append(Path(password_file) if password_file else None)
    for secret in secrets:
        if secret is not None and secret.is_file():
            yield _permissions(secret)


def _permissions(file: Path) -> Check:
    mode = stat.S_IMODE(file.stat().st_mode)
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        return Check(
            "key file",
            "fail",
            f"{file} can be reached by others (mode {mode:o})",
            f"Run `chmod 600 {file}`.",
        )
    return Check("key file", "ok", f"{file} is yours alone (mode {mode:o})")


def look_at_key(session: Session) -> Iterator[Check]:
    """Who signs."""
    from tael.signers import is_test_address

    try:
        settings = session.settings
    except ConfigurationError:
        return
    if not (settings.has_signer or session.options.key.is_named):
        yield Check(
            "key",
            "warn",
            "none is set: commands can only read",
            "Set TAEL_KEYSTORE or TAEL_KEY.",
        )
        return
    address = session.signer.address
    known = ", a test account that everybody knows" if is_test_address(address) else ""
    yield Check("key", "ok", f"signs for {address}{known}")


def look_at_participant(session: Session) -> Iterator[Check]:
    """Whom a delegate acts for."""
    from tael.chain import require_address

    try:
        who, secret = session.participant, session.settings.reference_secret
    except ConfigurationError:
        return
    if who is None:
        return
    require_address(who, name="TAEL_PARTICIPANT")
    if secret is not None:
        yield Check("participant", "ok", f"acts for {who}")
    else:
        yield Check(
            "participant",
            "warn",
            f"acts for {who}, and TAEL_REFERENCE_SECRET is not set",
            "A delegate cannot write without the participant's reference secret.",
        )


def look_at_store(session: Session) -> Iterator[Check]:
    """Whether the database of the journal can be opened; none is made."""
    from tael.store import Store, default_store_path

    try:
        where = session.settings.store or str(default_store_path())
    except ConfigurationError:
        return
    is_file = "://" not in where
    if is_file and not Path(where).expanduser().is_file():
        yield Check("store", "ok", f"{where} will be made by the first write")
        return
    try:
        Store.open(where).close()
    except (StoreError, ConfigurationError, MissingExtraError) as error:
        yield Check("store", "fail", error.message, "Correct TAEL_STORE, or mend the database.")
    else:
        # A URL may carry a password.
        yield Check("store", "ok", where if is_file else f"{where.split(':')[0]} at its URL")
