"""A statement leads from opening to closing balance, and every line proves itself (I-35)."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
import sqlalchemy as sa

from tael import Client, Money
from tael import events as ev
from tael.errors import AddressError, CurrencyUnknownError, InvalidInputError, LedgerError
from tael.identifiers import uetr_text
from tael.index import Index, Indexer, Kind
from tael.money import Currency
from tael.outbox.finality import Finality
from tael.reporting import (
    Statement,
    StatementLine,
    as_csv,
    as_html,
    as_json,
    documents,
    read_names,
    statement,
)
from tael.reporting.cells import cell, in_pieces, without_guard
from tael.store import Store
from tests.support.activity import have_a_busy_day
from tests.support.world import BANKS, CURRENCIES, World, cny


def catch_up(world: World, store: Store) -> Index:
    Indexer(store, world.client("outsider")).catch_up()
    return Index(store, world.manifest)


def client_with(world: World, role: str, store: Store) -> Client:
    """A client whose journal is in the database of the index."""
    return Client(world.chain, world.manifest, world.signers[role], store=store)


def lines_of(index: Index, who: str, currency: str, **period) -> list:
    with statement(index, who, currency, **period) as made:
        return list(made.lines)


def test_statements_close_at_the_contracts_balances_when_a_day_was_busy(
    world: World, store: Store
) -> None:
    have_a_busy_day(world, 1, 120)
    index = catch_up(world, store)
    for role in (*BANKS, "operator"):
        for currency in CURRENCIES:
            who = world.address(role)
            now = world.client("outsider").balances.of(currency, who)
            with statement(index, who, currency) as made:
                lines = list(made.lines)
                assert made.opening.balance_minor == 0
                assert made.closing.available_minor == now.available.amount_minor
                assert made.closing.held_minor == now.held.amount_minor
                assert made.movements == len(lines)
                assert made.is_final
            total = sum(line.movement.change_minor for line in lines)
            assert total == now.total.amount_minor
            assert [line.movement.number for line in lines] == list(range(1, len(lines) + 1))


def test_lines_of_a_transaction_come_to_its_transfers(world: World, store: Store) -> None:
    have_a_busy_day(world, 2, 120)
    index = catch_up(world, store)
    moved: dict[tuple[str, str, str], int] = {}
    for event in world.client("outsider").history().events(with_times=False):
        if isinstance(event, ev.Transfer):
            for who, change in (
                (event.sender, -event.amount_minor),
                (event.recipient, event.amount_minor),
            ):
                key = (event.at.contract, event.at.transaction_hash, who)
                moved[key] = moved.get(key, 0) + change
    found: dict[tuple[str, str, str], int] = {}
    for balance in index.balances():
        for each in index.movements(balance.participant, balance.currency):
            token = world.manifest.token(balance.currency)
            key = (token, each.transaction_hash, balance.participant)
            found[key] = found.get(key, 0) + each.change_minor
    zero = "0x" + "0" * 40
    assert {key: value for key, value in found.items() if value} == {
        key: value for key, value in moved.items() if value and key[2] != zero
    }


def test_each_line_is_proven_by_its_log(any_world: World, store: Store) -> None:
    world = any_world
    payment = world.authorize("P-1", cny("20.00"), interchange_bps=100)
    world.client("acquirer").payments.capture(payment, cny("12.00"), reference="C-1")
    world.client("issuer").balances.transfer(
        world.address("acquirer"), cny("3.00"), reference="T-1"
    )
    index = catch_up(world, store)
    lines = lines_of(index, world.address("issuer"), "CNY")
    opened, captured, transferred = (line.movement for line in lines[-3:])
    assert [each.kind for each in (opened, captured, transferred)] == [
        Kind.AUTHORIZE,
        Kind.CAPTURE,
        Kind.TRANSFER,
    ]
    for each in (opened, captured, transferred):
        block = world.node.rpc("eth_getBlockByNumber", hex(each.block_number), False)
        assert (block["hash"], int(block["timestamp"], 16)) == (each.block_hash, each.at)
        receipt = world.node.rpc("eth_getTransactionReceipt", each.transaction_hash)
        logs = {int(log["logIndex"], 16): log for log in receipt["logs"]}
        assert each.log_index in logs
    assert opened.payment_id == captured.payment_id == payment.payment_id
    assert opened.uetr == payment.prepared.terms.uetr
    assert (opened.change_minor, opened.held_change_minor) == (0, 20_00)
    assert (captured.change_minor, captured.interchange_minor) == (-11_88, 12)
    assert (transferred.change_minor, transferred.counterparty) == (
        -3_00,
        world.address("acquirer"),
    )


def test_lines_carry_the_participants_own_references(world: World, store: Store) -> None:
    issuer, acquirer = (client_with(world, role, store) for role in ("issuer", "acquirer"))
    payment = world.sign("P-1", cny("20.00"))
    issuer.payments.authorize(payment, reference="P-1")
    acquirer.payments.capture(payment, cny("5.00"), reference="CAP-1")
    acquirer.payments.capture(payment, cny("12.00"), reference="CAP-2")
    acquirer.payments.refund(payment, cny("2.00"), reference="REF-1")
    issuer.balances.transfer(world.address("acquirer"), cny("3.00"), reference="TR-1")
    issuer.balances.redeem(cny("4.00"), reference="RD-1")
    batch = [world.sign(f"B-{number}", cny("1.00")) for number in range(3)]
    issuer.payments.authorize_many(batch, reference="BATCH")
    index = catch_up(world, store)
    mine = [line.reference for line in lines_of(index, issuer.participant, "CNY")]
    assert mine == [
        *("", "P-1", "P-1", "P-1", "P-1", "TR-1", "RD-1"),
        *("B-0", "B-1", "B-2"),
    ]
    theirs = [line.reference for line in lines_of(index, acquirer.participant, "CNY")]
    # What the issuer sent has the issuer's reference, which is nobody else's business.
    assert theirs == ["", "CAP-1", "CAP-2", "REF-1", ""]
    for client in (issuer, acquirer):
        client.close()


def test_period_is_by_the_chains_clock_and_its_end_is_excluded(world: World, store: Store) -> None:
    issuer = world.client("issuer")
    who, at = world.address("acquirer"), []
    for number in range(4):
        world.node.set_next_timestamp(world.node.timestamp() + 1_000)
        issuer.balances.transfer(who, cny("1.00"), reference=f"T-{number}")
        at.append(world.node.timestamp())
    index = catch_up(world, store)

    def found(since: int | None, before: int | None) -> tuple[int, int, list[int]]:
        with statement(index, who, "CNY", since=since, before=before) as made:
            times = [line.movement.at for line in made.lines]
            assert made.closing.balance_minor - made.opening.balance_minor == sum(
                100 for each in times if each in at
            ) + (100_000_000 if len(times) > len(set(times) & set(at)) else 0)
            return made.opening.balance_minor, made.closing.balance_minor, times

    start = 100_000_000
    assert found(at[1], at[3]) == (start + 100, start + 300, at[1:3])
    assert found(at[1] + 1, at[3] + 1) == (start + 200, start + 400, at[2:])
    assert found(at[3] + 1, None) == (start + 400, start + 400, [])
    assert found(None, at[0])[1] == start
    assert found(at[2], at[2]) == (start + 200, start + 200, [])
    assert found(0, 1) == (0, 0, [])
    with pytest.raises(InvalidInputError, match="ends before"):
        found(at[3], at[1])


@pytest.mark.threat("O16")
def test_statement_says_whether_its_period_is_over_and_final(world: World, store: Store) -> None:
    indexer = Indexer(store, world.client("outsider"), finality=Finality("confirmations", 5))
    world.node.mine(6)
    # Anvil's clock may stand before the deployment's last blocks, once it was taken back.
    world.node.advance_time(3_600)
    world.authorize("P-1", cny("5.00"))
    indexer.catch_up()
    index = Index(store, world.manifest)
    now = world.node.timestamp()
    with statement(index, world.address("issuer"), "CNY", before=now + 10) as made:
        assert not made.is_complete
        assert not made.is_final
        assert len(list(made.lines)) == 2
    with statement(index, world.address("issuer"), "CNY", before=now) as made:
        assert made.is_complete
        assert made.is_final
        assert len(list(made.lines)) == 1


def test_statement_of_somebody_unknown_is_empty(world: World, store: Store) -> None:
    index = catch_up(world, store)
    assert lines_of(index, world.address("cardholder"), "CNY") == []
    with pytest.raises(AddressError):
        lines_of(index, world.manifest.escrow, "CNY")
    with pytest.raises(CurrencyUnknownError):
        lines_of(index, world.address("issuer"), "USD")


@pytest.mark.threat("O13")
def test_statement_fails_when_a_movement_was_altered(world: World, store: Store) -> None:
    have_a_busy_day(world, 3, 20)
    index = catch_up(world, store)
    who = world.address("issuer")
    *_, last = index.movements(who, "CNY")
    for number in (2, last.number):
        with store.write() as connection:
            connection.execute(
                sa.text(
                    "UPDATE movements SET available_change = available_change + 1 "
                    "WHERE number = :number"
                ),
                {"number": number},
            )
        with pytest.raises(LedgerError, match="damaged"):
            lines_of(index, who, "CNY")


def test_csv_is_exact_and_none_of_its_cells_is_a_formula(world: World, store: Store) -> None:
    issuer = client_with(world, "issuer", store)
    for reference in ("+1-2", "-SUM(A1)", "(plain)"):
        issuer.balances.transfer(world.address("acquirer"), cny("0.01"), reference=reference)
    index = catch_up(world, store)
    with statement(index, issuer.participant, "CNY") as made:
        text = "".join(as_csv(made))
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    assert [row["reference"] for row in rows] == ["", "'+1-2", "'-SUM(A1)", "(plain)"]
    for row in rows:
        for name, value in row.items():
            if value[:1] in ("=", "+", "-", "@"):
                assert name in ("amount", "held_change")
                assert Decimal(value) < 0
    assert [row["amount"] for row in rows] == ["1000000.00", "-0.01", "-0.01", "-0.01"]
    assert rows[-1]["balance"] == "999999.97"
    assert tuple(rows[0]) == documents.COLUMNS
    assert text.count("\r\n") == 5
    issuer.close()


@pytest.mark.threat("S30")
@pytest.mark.parametrize(
    "text", ["=1+1", "+1", "-1", "@x", "\tx", "\rx", "\nx", " =1", "\uff1d1", "\uff201"]
)
def test_cell_that_a_spreadsheet_would_run_is_defused(text: str) -> None:
    assert cell(text) == "'" + text
    assert cell("A" + text) == "A" + text
    assert without_guard(cell(text)) == text
    assert without_guard("'A" + text) == "'A" + text
    assert cell("") == ""


def test_json_is_one_document_with_everything(world: World, store: Store) -> None:
    payment = world.authorize("P-1", cny("5.00"))
    index = catch_up(world, store)
    with statement(index, world.address("issuer"), "CNY") as made:
        document = json.loads("".join(as_json(made)))
    assert document["closing"] == {
        "balance_minor": 100_000_000,
        "available_minor": 99_999_500,
        "held_minor": 500,
    }
    assert document["movements"] == len(document["lines"]) == 2
    last = document["lines"][-1]
    assert last["payment_id"] == "0x" + payment.payment_id.hex()
    assert last["uetr"] == uetr_text(payment.prepared.terms.uetr)
    assert last["reference_hash"] == "0x" + payment.prepared.terms.reference_hash.hex()
    assert (last["held_change_minor"], last["kind"]) == (500, "authorize")
    with statement(index, world.address("cardholder"), "CNY") as made:
        assert json.loads("".join(as_json(made)))["lines"] == []


def test_page_shows_every_line_and_runs_nothing(world: World, store: Store) -> None:
    issuer = client_with(world, "issuer", store)
    issuer.balances.transfer(world.address("acquirer"), cny("1.00"), reference="A, B+C")
    index = catch_up(world, store)
    with statement(index, issuer.participant, "CNY", before=world.node.timestamp() + 5) as made:
        page = "".join(as_html(made))
    assert page.count("<tbody>") == 2
    assert "A, B+C" in page
    assert "<b>999,999.00 CNY</b>" in page
    assert "The period is not over yet" in page
    assert "default-src 'none'" in page
    for word in ("<script", "javascript:", "http://", "https://", "src=", "@import"):
        assert word not in page
    (moved,) = (
        line.movement for line in lines_of(index, issuer.participant, "CNY") if line.reference
    )
    # A hash may go on in the next line; what is copied is whole.
    copied = page.replace("<wbr>", "")
    for proof in (
        f"transaction {moved.transaction_hash} log {moved.log_index}",
        f"block {moved.block_number} {moved.block_hash}",
        f"key 0x{moved.subject.hex()}",
    ):
        assert proof in copied
    assert f"<dd><code>{world.address('acquirer')}</code></dd>" in copied
    issuer.close()


def test_statement_calls_banks_by_their_names(world: World, store: Store) -> None:
    issuer, acquirer = world.address("issuer"), world.address("acquirer")
    world.client("issuer").balances.transfer(acquirer, cny("1.00"), reference="T-1")
    index = catch_up(world, store)
    names = {issuer: "Bank A & Sons", acquirer: "=Bank B"}

    def written(form: Callable[[Statement], Iterator[str]], **more) -> str:
        with statement(index, issuer, "CNY", **more) as made:
            return "".join(form(made))

    page = written(as_html, names=names)
    assert "<h1>Bank A &amp; Sons: statement in CNY</h1>" in page
    assert "<td>=Bank B</td>" in page
    assert f"<dt>=Bank B</dt><dd><code>{acquirer}</code></dd>" in page.replace("<wbr>", "")
    short = f"{acquirer[:8]}…{acquirer[-6:]}"
    assert short not in page
    assert f"<dt>{short}</dt><dd><code>{acquirer}</code></dd>" in written(as_html).replace(
        "<wbr>", ""
    )
    document = json.loads(written(as_json, names=names))
    assert document["name"] == "Bank A & Sons"
    assert [line["counterparty_name"] for line in document["lines"]] == ["", "=Bank B"]
    assert document["lines"][-1]["counterparty"] == acquirer
    *_, row = csv.DictReader(io.StringIO(written(as_csv, names=names), newline=""))
    assert (row["counterparty"], row["counterparty_name"]) == (acquirer, "'=Bank B")
    with pytest.raises(AddressError, match="a named participant"):
        written(as_csv, names={"issuer": "Bank A"})


def test_names_are_read_from_a_file(world: World, tmp_path: Path) -> None:
    bank, other = world.address("issuer"), world.address("acquirer")
    file = tmp_path / "names.csv"
    file.write_text(f"name;Address;city\nBank A;{bank};X\n'=B;{other};Y\nBank A;{bank};Z\n")
    assert read_names(file) == {bank: "Bank A", other: "=B"}
    for content, problem in (
        (f"address,name\n{bank},A\n{bank},B\n", "line 3 gives .* another name"),
        (f"address,name\n{bank},\n", "line 2 gives .* no name"),
        (f"address,name\n{bank}\n", "line 2 has 1 cells"),
        (f"address,name\n{bank[:-1]},A\n", "line 2"),
        ("address\n", "name"),
    ):
        file.write_text(content)
        with pytest.raises(InvalidInputError, match=problem):
            read_names(file)


def test_page_has_room_for_the_longest_amounts(world: World, store: Store) -> None:
    index = catch_up(world, store)
    with statement(index, world.address("issuer"), "CNY") as made:
        (line,) = made.lines
        most = replace(line.movement, available_change_minor=-(2**80), available_minor=2**80)
        page = "".join(as_html(replace(made, lines=iter([StatementLine(most, "")]))))
    longest = f"{2**80 // 100:,}.{2**80 % 100}"
    # Longer than a column of A4 has room for, it may break, and only after a comma.
    assert f">{longest.replace(',', ',<wbr>')}</td>" in page
    assert f">-{longest.replace(',', ',<wbr>')}</td>" in page
    assert ">1,000,000.00 CNY<" in page


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("0x" + "ab" * 32, [8] * 7 + [10]),
        ("0x" + "12" * 20, [8] * 4 + [10]),
        ("a" * 19, [19]),
        ("a" * 20, [8, 8, 4]),
        ("a" * 21, [8, 8, 5]),
        ("A" * 11, [11]),
        ("A" * 13, [8, 5]),
        ("1745915488053", [8, 5]),
        ("75405253-4530-4820-88fa-f4cc8086af55", [36]),
        ("mandatory_missing, not_a_template", [10, 13, 2, 8]),
        ("CardPaymentLimitExceeded", [4, 7, 5, 8]),
        ("the authorizations of a day", [27]),
    ],
)
def test_long_words_break_in_groups(text: str, pieces: list[int]) -> None:
    assert [len(each) for each in in_pieces(text).split("<wbr>")] == pieces


def test_page_escapes_what_strangers_wrote(world: World, store: Store) -> None:
    index = catch_up(world, store)
    with statement(index, world.address("issuer"), "CNY") as made:
        (line,) = made.lines
        evil = StatementLine(line.movement, "<img src=x onerror=alert(1)>&\"'")
        page = "".join(as_html(replace(made, lines=iter([evil]))))
    assert "<img" not in page
    assert "&lt;img src=x" in page


def test_currency_without_decimals_is_written_without(world: World, store: Store) -> None:
    index = catch_up(world, store)
    with statement(index, world.address("issuer"), "CNY") as made:
        assert made.amount(-5) == "-0.05"
        yen = replace(made, currency=Currency.of("JPY"))
        dinar = replace(made, currency=Currency.of("KWD"))
        assert (yen.amount(-5), dinar.amount(1_234)) == ("-5", "1.234")
        assert Money("KWD", 1_234).amount == "1.234"
