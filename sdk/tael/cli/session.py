"""What one command works with: its options, settings, node, key and output."""

from __future__ import annotations

import os
import re
import secrets
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tael.cli.failures import InterruptionError, UsageError
from tael.cli.output import Output
from tael.cli.values import shown_time, written
from tael.errors import ConfigurationError, SigningKeyError

if TYPE_CHECKING:
    from tael.chain import Chain
    from tael.client import Client
    from tael.config import Settings
    from tael.identifiers import Identifiers
    from tael.manifest import Manifest
    from tael.models import ScheduledOperation, Written
    from tael.outbox import Change
    from tael.secrets import Secret
    from tael.signers import Signer

__all__ = ["KeySource", "Options", "Session"]

MAX_SECRET_BYTES = 4096
DEFAULT_WAIT = "2m"
NODE_RETRY_SECONDS = 5.0

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}", re.ASCII)
_HEX_KEY = re.compile(r"[0-9a-fA-F]{64}", re.ASCII)


@dataclass(frozen=True)
class KeySource:
    """Where a key comes from: never from the words of the command, which others can see.

    Args:
        variable: Environment variable with the key; None looks at the settings alone.
        descriptor: File descriptor to read the key from.
        keystore: Encrypted keystore.
        password_descriptor: File descriptor to read the keystore's password from.
    """

    variable: str | None = None
    descriptor: int | None = None
    keystore: Path | None = None
    password_descriptor: int | None = None

    def __post_init__(self) -> None:
        named = [self.variable, self.descriptor, self.keystore]
        if sum(each is not None for each in named) > 1:
            raise UsageError("Name one place for a key, not several.")
        if self.password_descriptor is not None and self.keystore is None:
            raise UsageError("A password is for a keystore; name the keystore too.")
        if self.variable is not None and (
            not _VARIABLE.fullmatch(self.variable) or _HEX_KEY.fullmatch(self.variable)
        ):
            # What was given may be the key itself, so it is not repeated.
            raise UsageError("Pass the name of the environment variable that holds the key.")

    @property
    def is_named(self) -> bool:
        """Whether anything was named."""
        return (self.variable, self.descriptor, self.keystore) != (None, None, None)


@dataclass(frozen=True)
class Options:
    """The options that commands share; `tael.cli.command` documents them."""

    as_json: bool = False
    quiet: bool = False
    rpc_url: str | None = None
    manifest: Path | None = None
    network: str = ""
    env_file: Path | None = None
    key: KeySource = KeySource()
    participant: str | None = None
    reference: str | None = None
    wait_seconds: int = 120


class Session:
    """One run of one command.

    Args:
        options: What was asked for.
        output: Where results go.
    """

    def __init__(self, options: Options, output: Output | None = None) -> None:
        self.options = options
        self.output = output or Output(as_json=options.as_json, quiet=options.quiet)
        self._in_flight: Change | None = None

    # What is configured

    @cached_property
    def variables(self) -> Mapping[str, str]:
        """The `.env` file's variables and the environment's, which win."""
        from tael.config import ENV_FILE, read_env_file

        path = self.options.env_file
        if path is not None and not path.is_file():
            raise ConfigurationError(f"there is no file {path}")
        return {**read_env_file(path or ENV_FILE), **os.environ}

    @cached_property
    def settings(self) -> Settings:
        """Settings by the options, the environment and the `.env` file, in this order."""
        from tael.config import Settings, split_urls

        found = Settings.load(self.options.network, env_file=None, environment=self.variables)
        if self.options.rpc_url is not None:
            found = replace(found, rpc_urls=split_urls(self.options.rpc_url))
        if self.options.manifest is not None:
            found = replace(found, manifest=self.options.manifest)
        return found

    @cached_property
    def chain(self) -> Chain:
        """The node, asked which chain it serves."""
        from tael.chain import Chain

        settings = self.settings
        with self.output.working("asking the node"):
            # Somebody waits in front of a terminal: give up sooner than a service would.
            return Chain.connect(
                settings.rpc_urls, settings.chain_id, retry_seconds=NODE_RETRY_SECONDS
            )

    @cached_property
    def manifest(self) -> Manifest:
        """The manifest; the node is asked for its chain id only where no path is set."""
        from tael.manifest import Manifest

        settings = self.settings
        if settings.manifest is None and settings.chain_id is not None:
            return Manifest.load(settings.manifest_path(settings.chain_id))
        return Manifest.load(settings.manifest or settings.manifest_path(self.chain.chain_id))

    @cached_property
    def signer(self) -> Signer:
        """Who signs.

        Raises:
            SigningKeyError: No key is set, or it cannot be used.
        """
        return self.signer_from(self.options.key) or self.settings.signer()

    @cached_property
    def reader(self) -> Client:
        """A client that only reads, for whom the options name, if anybody."""
        from tael.client import Client

        return Client(self.chain, self.manifest, participant=self.participant)

    @cached_property
    def client(self) -> Client:
        """A client that writes."""
        from tael.client import Client

        client = Client(
            self.chain,
            self.manifest,
            self.signer,
            participant=self.participant,
            reference_secret=self.settings.reference_secret_bytes(),
            store=self.settings.store,
            finality=self.settings.finality,
            wait_seconds=self.options.wait_seconds,
        )
        client.listen(self._remember)
        return client

    def close(self) -> None:
        """End what the command's client has running; what is in flight stays in the journal."""
        for name in ("client", "reader"):
            if name in self.__dict__:
                self.__dict__[name].close()

    @property
    def participant(self) -> str | None:
        """Whom the signer acts for, if it is a delegate."""
        return self.options.participant or self.settings.participant

    def own_address(self) -> str:
        """Who is meant when a command names nobody: the participant, else the signer.

        Raises:
            UsageError: Neither is set.
        """
        if self.participant is not None:
            return self.participant
        if not (self.options.key.is_named or self.settings.has_signer):
            raise UsageError("Name an address, or set TAEL_PARTICIPANT or a key.")
        return self.signer.address

    def identifiers(self) -> Identifiers:
        """What the participant's references stand for on the chain; no node is asked.

        Raises:
            ConfigurationError: A delegate's key is set, and no reference secret.
            SigningKeyError: Neither a key nor a reference secret is set.
        """
        from tael.identifiers import Identifiers

        secret = self.settings.reference_secret_bytes()
        if secret is not None:
            return Identifiers(self.own_address(), secret)
        signer = self.signer
        if self.participant not in (None, signer.address):
            raise ConfigurationError(
                f"{signer.address} is a delegate of {self.participant}: set TAEL_REFERENCE_SECRET "
                "to the participant's reference secret"
            )
        return Identifiers.from_signer(signer.address, signer.sign_digest)

    def signer_from(self, source: KeySource) -> Signer | None:
        """A signer from a named place; None if nothing was named.

        Raises:
            SigningKeyError: There is no key, or none that can be used.
        """
        from tael.signers import KeystoreSigner, PrivateKeySigner

        if source.descriptor is not None:
            return PrivateKeySigner.from_key(_secret_from(source.descriptor))
        if source.variable is not None:
            return PrivateKeySigner.from_environment(source.variable, self.variables)
        if source.keystore is not None:
            return KeystoreSigner.from_file(source.keystore, self._password(source))
        return None

    def state_reference(self, stem: str) -> str:
        """The reference for setting a state: as given, else one that was never used.

        The same state set again later is another write, so no name made from it would do.

        Args:
            stem: What a made-up one begins with.
        """
        return self.options.reference or f"{stem[:28].rstrip(' /')}-{secrets.token_hex(3)}"

    def reference(self, default: str | None = None) -> str:
        """The caller's reference.

        Args:
            default: For a write whose repeat is harmless whatever it is called.

        Raises:
            UsageError: None was given and there is no default.
        """
        given = self.options.reference or default
        if given is None:
            raise UsageError("Missing option --reference: what makes a repeat recognisable.")
        return given

    # What happens

    @contextmanager
    def writing(self, what: str) -> Iterator[None]:
        """Show that a write is under way; Ctrl-C inside says what is known of it."""
        try:
            with self.output.working(what):
                yield
        except KeyboardInterrupt:
            raise self._interrupted() from None
        self._in_flight = None

    def wrote(
        self, done: Written, what: str, more: Mapping[str, Any] | None = None, *, bare: str = ""
    ) -> None:
        """Tell of a write that is in a block.

        Args:
            done: The write.
            what: What it did, for a person.
            more: More for programs.
            bare: What `--quiet` prints; empty is the transaction's hash.
        """
        said = f"{what} (before; nothing was sent)" if done.repeated else what
        facts = self.output.facts(
            [
                ("reference", done.reference),
                ("transaction", done.transaction_hash),
                ("block", f"{done.block_number} · gas {done.gas_used}"),
            ]
        )
        self.output.result(
            {**written(done), **(more or {})},
            [self.output.styled(f"✓ {said}", "green"), facts],
            bare=bare or done.transaction_hash,
        )

    def wrote_or_scheduled(
        self,
        done: Written | ScheduledOperation,
        what: str,
        more: Mapping[str, Any] | None = None,
    ) -> None:
        """Tell of an act of governance, which may have to wait."""
        from tael.cli.values import hexed, scheduled
        from tael.models import ScheduledOperation

        if not isinstance(done, ScheduledOperation):
            self.wrote(done, what, more)
            return
        line = f"… {done.verb} is announced and not made yet; run the same command again then"
        facts = self.output.facts(
            [
                ("ready", shown_time(done.ready_at, now=self.chain.now())),
                ("expires", shown_time(done.expires_at)),
                ("operation", hexed(done.operation_id)),
            ]
        )
        self.output.result(
            {**scheduled(done), **(more or {})},
            [self.output.styled(line, "yellow"), facts],
            bare=hexed(done.operation_id) or "",
        )

    # Internals

    def _remember(self, change: Change) -> None:
        self._in_flight = change

    def _interrupted(self) -> InterruptionError:
        change = self._in_flight
        if change is None:
            return InterruptionError("Interrupted before anything was sent.")
        reference = self.client.reference_of(change)
        fate, known = self._fate(reference)
        return InterruptionError(
            f"Interrupted with transaction {change.transaction_hash} under way: {known}.",
            f"Run the same command with reference {reference!r} again: it finds the first "
            "result instead of acting twice.",
            {
                "transaction_hash": change.transaction_hash,
                "reference": reference,
                "fate": fate,
            },
        )

    def _fate(self, reference: str) -> tuple[str, str]:
        from tael.errors import TaelError

        # Whoever pressed Ctrl-C does not want to wait for a node that hangs.
        self.chain.retry_seconds = 0
        try:
            resolution = self.client.resolve(reference)
        except (TaelError, KeyboardInterrupt):
            return "unknown", "the node does not say what became of it"
        if resolution.refusal is not None:
            return "refused", "it is in a block and was refused"
        if resolution.state == "settled":
            return "included", f"it is in block {resolution.evidence.block_number}"
        return resolution.state, "it is written down and in no block yet"

    def _password(self, source: KeySource) -> Secret:
        from tael.secrets import Secret

        if source.password_descriptor is not None:
            return _secret_from(source.password_descriptor)
        if self.settings.keystore_password is not None:
            return self.settings.keystore_password
        if sys.stdin.isatty() and not self.options.as_json:
            from getpass import getpass

            return Secret(getpass(f"Password of {source.keystore}: ", stream=sys.stderr))
        raise SigningKeyError(
            f"{source.keystore} needs its password: TAEL_KEYSTORE_PASSWORD_FILE, "
            "TAEL_KEYSTORE_PASSWORD or --password-fd"
        )


def _secret_from(descriptor: int) -> Secret:
    from tael.secrets import Secret

    try:
        with os.fdopen(descriptor, "rb", closefd=descriptor > 2) as file:
            content = file.read(MAX_SECRET_BYTES + 1)
        lines = content.decode("utf-8").splitlines()
    except (OSError, OverflowError, TypeError, UnicodeDecodeError):
        # A number beyond what a descriptor can be is an OverflowError here and a TypeError there.
        lines, content = [], b""
    if not lines or len(content) > MAX_SECRET_BYTES:
        raise SigningKeyError(f"file descriptor {descriptor} gives no line to read a secret from")
    return Secret(lines[0])
