"""`tael qr`: codes made and read without a network."""

from __future__ import annotations

import os
import sys
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO

import typer

from tael.cli.command import Needs, command, group
from tael.cli.failures import ExitCode, UsageError
from tael.cli.output import printable
from tael.cli.session import KeySource, Session
from tael.cli.values import bytes32, hexed, local_now, seconds, shown_time, to_money, when
from tael.errors import InvalidInputError

if TYPE_CHECKING:
    from rich.console import RenderableType

    from tael import qr
    from tael.signers import Signer

app = group("Make and read payment codes; no network needed.")

MERCHANT_KEY_VARIABLE = "TAEL_MERCHANT_KEY"
DEFAULT_EXPIRY = "15m"

# More than any code holds; what follows cannot change that it is refused.
_MAX_LINE_BYTES = 65_536
_IMAGE_ENDINGS = (".png", ".jpg", ".jpeg")

_LABELS = {
    "00": "payload format",
    "01": "initiation",
    "52": "category",
    "53": "currency",
    "54": "amount",
    "55": "tip",
    "56": "fixed fee",
    "57": "percentage fee",
    "58": "country",
    "59": "name",
    "60": "city",
    "61": "postal code",
    "62": "additional data",
    "62.01": "bill number",
    "62.02": "mobile number",
    "62.03": "store",
    "62.04": "loyalty number",
    "62.05": "reference",
    "62.06": "customer",
    "62.07": "terminal",
    "62.08": "purpose",
    "62.09": "data requested",
    "62.10": "merchant's tax id",
    "62.11": "channel",
    "64": "in its own language",
    "64.00": "language",
    "64.01": "name",
    "64.02": "city",
}


@command(app, "read", needs=Needs.NOTHING)
def read(
    session: Session,
    codes: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="TEXT_OR_IMAGE...",
            help="Scanned text, or a PNG or JPEG file. Put -- before a text that begins with -.",
        ),
    ] = None,
    lines: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Read one text a line from a file; - is standard input."),
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Refuse what EMVCo makes mandatory or recommends.")
    ] = False,
) -> int:
    """Say what codes are and what is in them; exit code 2 if one was refused."""
    if not codes and lines is None:
        raise UsageError("Pass a text, an image, or --lines FILE.")
    from tael import qr

    for each in codes or []:
        if each.lower().endswith(_IMAGE_ENDINGS) and not _is_file(each):
            session.output.note(f"there is no file {each}: taken as text")
    refused = total = 0
    for source in _sources(codes or [], lines):
        document = qr.describe(source, strict=strict)
        total += 1
        refused += not document["accepted"]
        if session.output.as_json:
            session.output.json(document)
        else:
            session.output.result(
                document,
                _shown(session, document),
                bare=document["scheme"] or document["error"]["code"],
            )
    if total > 1:
        session.output.note(f"{total - refused} accepted, {refused} refused")
    return ExitCode.INVALID if refused else ExitCode.OK


@command(app, "make")
def make(
    session: Session,
    name: Annotated[str, typer.Option(help="The merchant's name, up to 25 characters.")],
    city: Annotated[str, typer.Option(help="Its city, up to 15 characters.")],
    country: Annotated[str, typer.Option(help="ISO 3166-1, as in CN.")],
    category: Annotated[str, typer.Option(help="ISO 18245, four digits, as in 5411.")],
    currency: Annotated[str, typer.Option(help="ISO 4217 letters, as in CNY.")],
    amount: Annotated[
        str | None, typer.Option(help="In major units; without it the payer types one.")
    ] = None,
    dynamic: Annotated[
        bool | None,
        typer.Option(
            "--dynamic/--static", help="For one payment, or for many. [dynamic with an amount]"
        ),
    ] = None,
    tip: Annotated[
        str | None,
        typer.Option(metavar="KIND", help="prompt, fixed:1.50 or percent:2.5 on top."),
    ] = None,
    postal_code: Annotated[str | None, typer.Option(help="Up to 10 characters.")] = None,
    bill: Annotated[str | None, typer.Option(help="Bill number, up to 25 characters.")] = None,
    label: Annotated[str | None, typer.Option(help="Reference label, up to 25.")] = None,
    terminal: Annotated[str | None, typer.Option(help="Terminal label, up to 25.")] = None,
    store: Annotated[str | None, typer.Option(help="Store label, up to 25.")] = None,
    local_name: Annotated[
        str | None,
        typer.Option(metavar="LANGUAGE=NAME", help="Name in its own script, as in zh=北京."),
    ] = None,
    accounts: Annotated[
        list[str] | None,
        typer.Option(
            "--account",
            metavar="ID=VALUE",
            help="Another scheme's account: 15=…, or 26.00=GUID and 26.01=… for a template.",
        ),
    ] = None,
    merchant: Annotated[
        str | None,
        typer.Option(metavar="ID", help="Sign for this merchant of the Directory (32 bytes)."),
    ] = None,
    merchant_key_env: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Variable with its key. [TAEL_MERCHANT_KEY]"),
    ] = None,
    merchant_key_fd: Annotated[
        int | None, typer.Option(metavar="N", min=0, help="Descriptor to read its key from.")
    ] = None,
    merchant_keystore: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Encrypted keystore with its key.")
    ] = None,
    chain_id: Annotated[
        int | None, typer.Option(min=1, help="Without a manifest: the chain's id.")
    ] = None,
    escrow: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="Without a manifest: the escrow.")
    ] = None,
    token: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="Without a manifest: the token.")
    ] = None,
    uetr: Annotated[
        str | None, typer.Option(metavar="UUID", help="Of the one payment. [random]")
    ] = None,
    expires_in: Annotated[
        str, typer.Option(metavar="SPAN", help="By this machine's clock, as in 90s, 15m, 2h.")
    ] = DEFAULT_EXPIRY,
    expires_at: Annotated[
        str | None, typer.Option(metavar="TIME", help="Unix seconds or ISO 8601, instead.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="FILE", help="Write .png or .svg instead of drawing."),
    ] = None,
    scale: Annotated[int, typer.Option(help="Pixels a module.")] = 8,
) -> None:
    """Make a merchant's code: static or dynamic, signed if a merchant and its key are given."""
    from tael import qr

    money = None if amount is None else to_money(amount, currency)
    is_dynamic = (money is not None) if dynamic is None else dynamic
    code = qr.MerchantCode(
        accounts=_accounts(accounts or []),
        category_code=category,
        currency=currency,
        country=country,
        name=name,
        city=city,
        initiation=qr.Initiation.DYNAMIC if is_dynamic else qr.Initiation.STATIC,
        amount_minor=None if money is None else money.amount_minor,
        tip=_tip(tip, currency),
        postal_code=postal_code,
        additional=None
        if (bill, label, terminal, store) == (None,) * 4
        else qr.AdditionalData(
            bill_number=bill, reference_label=label, terminal_label=terminal, store_label=store
        ),
        language=_language(local_name),
    )
    place: dict[str, Any] = {}
    if merchant is not None:
        key = _merchant_key(session, merchant_key_env, merchant_key_fd, merchant_keystore)
        place = _place(session, currency, chain_id, escrow, token, is_dynamic=is_dynamic)
        place["merchant_id"] = bytes32(merchant, name="--merchant")
        if is_dynamic:
            place["uetr"] = _uetr(uetr)
            place["expires_at"] = (
                when(expires_at, name="--expires-at")
                if expires_at is not None
                else local_now() + seconds(expires_in, name="--expires-in")
            )
        code = qr.sign(code, key, **place)
    elif any(each is not None for each in (merchant_key_env, merchant_key_fd, merchant_keystore)):
        raise UsageError("A key signs for a merchant of the Directory; name it with --merchant.")
    text = qr.write(code)
    if out is not None:
        try:
            qr.write_image(out, text, scale=scale)
        except OSError as error:
            raise InvalidInputError(f"{out}: {error.strerror or 'cannot be written'}") from error
    _tell(session, text, code, place, out)


def _tell(
    session: Session, text: str, code: qr.MerchantCode, place: Mapping[str, Any], out: Path | None
) -> None:
    from tael import qr

    identifier = place.get("uetr")
    expires_at: int | None = place.get("expires_at")
    document = {
        "text": text,
        "dynamic": code.initiation is qr.Initiation.DYNAMIC,
        "signed": bool(place),
        "amount_minor": code.amount_minor,
        "total_minor": code.total_minor,
        "currency": code.currency,
        "merchant_id": hexed(place.get("merchant_id")),
        "uetr": None if identifier is None else str(uuid.UUID(bytes=identifier)),
        "expires_at": expires_at,
        "file": None if out is None else str(out),
    }
    parts: list[RenderableType] = [text] if out else [qr.to_terminal(text).rstrip("\n"), text]
    parts.append(
        session.output.facts(
            [
                ("uetr", document["uetr"]),
                ("expires", None if expires_at is None else shown_time(expires_at)),
                (
                    "signed",
                    "by the merchant" if place else "no: nobody can tell whose it is",
                ),
                ("file", out),
            ]
        )
    )
    session.output.result(document, parts, bare=text)


# Reading


def _sources(codes: list[str], lines: str | None) -> Iterator[bytes | Path]:
    for each in codes:
        # A picture is a file that is there; everything else is text, whatever it looks like.
        is_picture = each.lower().endswith(_IMAGE_ENDINGS) and _is_file(each)
        yield Path(each) if is_picture else os.fsencode(each)
    if lines == "-":
        yield from _lines(sys.stdin.buffer)
    elif lines is not None:
        try:
            with Path(lines).open("rb") as file:
                yield from _lines(file)
        except OSError as error:
            raise InvalidInputError(f"{lines}: {error.strerror or 'cannot be read'}") from error


def _is_file(name: str) -> bool:
    try:
        return Path(name).is_file()
    except (OSError, ValueError):
        return False


def _lines(file: BinaryIO) -> Iterator[bytes]:
    while line := file.readline(_MAX_LINE_BYTES):
        rest = line
        while not rest.endswith(b"\n") and (rest := file.readline(_MAX_LINE_BYTES)):
            pass
        yield line.removesuffix(b"\n").removesuffix(b"\r")


def _shown(session: Session, document: Mapping[str, Any]) -> list[RenderableType]:
    output = session.output
    if not document["accepted"]:
        error = document["error"]
        return [
            output.styled(f"✗ refused: {error['message']}", "red"),
            output.styled(f"  code: {error['code']}", "dim"),
        ]
    parts: list[RenderableType] = [output.styled(f"✓ {document['scheme']}", "green")]
    fields = document["fields"]
    pairs = _flattened(fields) if isinstance(fields, Mapping) else _listed(fields)
    parts.append(output.facts(pairs))
    parts += [
        output.styled(f"  warning{_at(each)}: {each['message']} ({each['code']})", "yellow")
        for each in document["warnings"]
    ]
    return parts


def _at(warning: Mapping[str, str]) -> str:
    return f" at {warning['object']}" if warning["object"] else ""


def _flattened(fields: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, object]]:
    for key, value in fields.items():
        place = f"{prefix}{key}"
        label = _LABELS.get(place, "account" if "02" <= place < "52" and not prefix else "")
        title = f"  {place:<6} {label}"
        if isinstance(value, Mapping):
            yield title, ""
            yield from _flattened(value, f"{place}.")
        else:
            yield title, value


def _listed(fields: Any, depth: int = 1) -> Iterator[tuple[str, object]]:
    for each in fields:
        tag, value = (each[0], each[1]) if isinstance(each, (list, tuple)) else (str(each), "")
        if isinstance(value, (list, tuple)):
            yield f"{'  ' * depth}{tag}", ""
            yield from _listed(value, depth + 1)
        else:
            yield f"{'  ' * depth}{tag}", value


# Making


def _accounts(given: list[str]) -> tuple[Any, ...]:
    from tael import qr
    from tael.qr.tlv import DataObject

    plain: dict[str, str] = {}
    templates: dict[str, dict[str, str]] = {}
    for each in given:
        where, equals, value = each.partition("=")
        outer, dot, inner = where.partition(".")
        if not equals or not value:
            raise UsageError(f"--account is ID=VALUE, as in 26.00=com.example, not {each!r}.")
        into, key = (templates.setdefault(outer, {}), inner) if dot else (plain, outer)
        if key in into:
            raise UsageError(f"--account {where} is there twice.")
        into[key] = value
    both = plain.keys() & templates.keys()
    if both:
        raise UsageError(f"--account {min(both)} is a value and a template at once.")
    nameless = [key for key, values in templates.items() if "00" not in values]
    if nameless:
        raise UsageError(f"--account {nameless[0]} is a template and needs {nameless[0]}.00=GUID.")
    return (
        *(DataObject(key, value) for key, value in plain.items()),
        *(qr.Template.of(key, values.pop("00"), values) for key, values in templates.items()),
    )


def _tip(text: str | None, currency: str) -> qr.Tip | None:
    from tael import qr

    if text is None:
        return None
    kind, _, value = text.partition(":")
    if kind == "prompt" and not value:
        return qr.PromptedTip()
    if kind == "fixed" and value:
        return qr.FixedFee(to_money(value, currency).amount_minor)
    if kind == "percent" and value:
        whole, _, places = value.partition(".")
        digits = whole + places.ljust(3, "0")
        if whole.isascii() and digits.isascii() and digits.isdigit() and len(places) <= 3:
            return qr.PercentageFee(int(digits))
    raise UsageError(f"--tip is prompt, fixed:1.50 or percent:2.5, not {text!r}.")


def _language(text: str | None) -> qr.LanguageTemplate | None:
    from tael import qr

    if text is None:
        return None
    language, _, name = text.partition("=")
    if not (language and name):
        raise UsageError(f"--local-name is LANGUAGE=NAME, as in zh=北京, not {text!r}.")
    return qr.LanguageTemplate(language=language, name=name)


def _uetr(text: str | None) -> bytes:
    if text is None:
        return uuid.uuid4().bytes
    try:
        return uuid.UUID(text).bytes
    except ValueError as error:
        raise InvalidInputError(f"--uetr is a UUID, not {printable(text)[:60]!r}") from error


def _place(
    session: Session,
    currency: str,
    chain_id: int | None,
    escrow: str | None,
    token: str | None,
    *,
    is_dynamic: bool,
) -> dict[str, Any]:
    if chain_id is None or escrow is None or (token is None and is_dynamic):
        manifest = session.manifest
        chain_id = manifest.chain_id if chain_id is None else chain_id
        escrow = manifest.escrow if escrow is None else escrow
        if is_dynamic and token is None:
            token = manifest.token(currency)
    place: dict[str, Any] = {"chain_id": chain_id, "escrow": escrow}
    return {**place, "token": token} if is_dynamic else place


def _merchant_key(
    session: Session, variable: str | None, descriptor: int | None, keystore: Path | None
) -> Signer:
    source = KeySource(variable, descriptor, keystore)
    if not source.is_named:
        source = KeySource(MERCHANT_KEY_VARIABLE)
    signer = session.signer_from(source)
    assert signer is not None, "a source is named"  # noqa: S101
    return signer
