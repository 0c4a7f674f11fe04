"""The bank's own list against the chain: nothing is missed, whoever made the mistake."""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest

from tael import Identifiers
from tael.errors import InvalidInputError
from tael.index import Index, Indexer
from tael.reporting import BadRow, BankRow, Reconciliation, RowState, read_bank_file, reconcile
from tael.store import Store
from tests.support.world import World, cny, hkd

HEAD = "reference,amount,currency,state\n"


def catch_up(world: World, store: Store) -> Index:
    Indexer(store, world.client("outsider")).catch_up()
    return Index(store, world.manifest)


def identifiers(world: World, role: str) -> Identifiers:
    signer = world.signers[role]
    return Identifiers.from_signer(signer.address, signer.sign_digest)


def compare(
    world: World, store: Store, text: str, folder: Path, role: str = "issuer", **options
) -> Reconciliation:
    file = folder / "list.csv"
    file.write_bytes(text.encode())
    index = catch_up(world, store)
    return reconcile(index, read_bank_file(file), identifiers(world, role), **options)


def live(world: World) -> dict[str, bytes]:
    """One payment of each state, in two currencies."""
    acquirer = world.client("acquirer").payments
    payments = {
        reference: world.authorize(reference, amount)
        for reference, amount in (
            ("OPEN-1", cny("10.00")),
            ("PART-1", cny("20.00")),
            ("CAPT-1", cny("30.00")),
            ("VOID-1", cny("40.00")),
            ("REFU-1", hkd("50.00")),
            ("BOTH-1", hkd("60.00")),
        )
    }
    acquirer.capture(payments["PART-1"], cny("5.00"), reference="C-1")
    acquirer.capture(payments["CAPT-1"], cny("30.00"), reference="C-2")
    acquirer.void(payments["VOID-1"], cny("40.00"), reference="V-1")
    acquirer.capture(payments["REFU-1"], hkd("50.00"), reference="C-3")
    acquirer.refund(payments["REFU-1"], hkd("50.00"), reference="R-3")
    acquirer.capture(payments["BOTH-1"], hkd("45.00"), reference="C-4")
    acquirer.void(payments["BOTH-1"], hkd("15.00"), reference="V-4")
    acquirer.refund(payments["BOTH-1"], hkd("5.00"), reference="R-4")
    signed = world.sign("CHAR-1", cny("7.00"))
    world.client("issuer").payments.charge(signed, reference="CHAR-1")
    return {name: each.payment_id for name, each in {**payments, "CHAR-1": signed}.items()}


GOOD = HEAD + (
    "OPEN-1,10.00,CNY,open\n"
    "PART-1,20.00,CNY,open\n"
    "CAPT-1,30.00,CNY,captured\n"
    "VOID-1,40.00,CNY,voided\n"
    "REFU-1,50.00,HKD,refunded\n"
    "BOTH-1,45.00,HKD,captured\n"
    "CHAR-1,7.00,CNY,charged\n"
)


def test_clean_day_matches_when_every_state_is_there(
    world: World, store: Store, tmp_path: Path
) -> None:
    live(world)
    # Somebody else's payments are not this bank's.
    world.authorize("OTHER-1", cny("10.00"), issuer="other_issuer", acquirer="other_acquirer")
    found = compare(world, store, GOOD, tmp_path)
    assert (found.rows, found.matched, found.breaks) == (7, 7, 0)
    assert found.block_number == world.node.block_number()


@pytest.mark.threat("O13")
@pytest.mark.parametrize(
    ("before", "after", "kind"),
    [
        ("CAPT-1,30.00,CNY", "CAPT-1,30.01,CNY", "differing"),
        ("CAPT-1,30.00,CNY", "CAPT-1,30.00,HKD", "differing"),
        ("30.00,CNY,captured", "30.00,CNY,open", "differing"),
        ("OPEN-1,10.00,CNY,open\n", "", "missing_here"),
        ("OPEN-1,", "OPEN-2,", "missing_there"),
        ("OPEN-1,10.00", "OPEN-1,10,00", "bad"),
    ],
)
def test_one_difference_is_found_wherever_it_is(
    world: World, store: Store, tmp_path: Path, before: str, after: str, kind: str
) -> None:
    ids = live(world)
    assert GOOD.count(before) == 1
    found = compare(world, store, GOOD.replace(before, after), tmp_path)
    counts = {
        name: getattr(found, name).count
        for name in ("differing", "missing_here", "missing_there", "bad")
    }
    assert counts[kind] == 1
    assert found.breaks == sum(counts.values()) > 0
    if kind in ("missing_there", "bad"):
        # The payment itself is then in no row.
        (entry,) = found.missing_here.kept
        assert entry.key == ids["OPEN-1"]
        assert (entry.amount, entry.state) == (cny("10.00"), RowState.OPEN)
        assert entry.transaction_hash.startswith("0x")
    else:
        assert found.breaks == 1
    if kind == "differing":
        ((row, entry),) = found.differing.kept
        assert (row.line, row.reference, entry.key) == (4, "CAPT-1", ids["CAPT-1"])
        assert (entry.amount, entry.state) == (cny("30.00"), RowState.CAPTURED)


@pytest.mark.threat("S29")
def test_line_that_is_there_twice_is_a_break(world: World, store: Store, tmp_path: Path) -> None:
    live(world)
    found = compare(world, store, GOOD + "OPEN-1,10.00,CNY,open\nOPEN-1,11.00,CNY,open\n", tmp_path)
    assert found.matched == 7
    assert found.bad.kept == [
        BadRow(9, "repeats line 2"),
        BadRow(10, "contradicts line 2"),
    ]
    # The whole list twice is the same answer, with each line's repeat told.
    again = compare(world, store, GOOD + GOOD.removeprefix(HEAD), tmp_path)
    assert (again.matched, again.bad.count, again.breaks) == (7, 7, 7)


@pytest.mark.threat("S28")
def test_all_bad_rows_are_told_at_once_by_their_lines(
    world: World, store: Store, tmp_path: Path
) -> None:
    live(world)
    rows = [f"X-{number},1.00,CNY,open" for number in range(5_000)]
    rows[1_234] = "X-1234,1.0O,CNY,open"
    rows[4_999] = "X-4999,1.00,CNY"
    text = GOOD + "\n".join(rows) + "\n"
    found = compare(world, store, text, tmp_path)
    assert [row.line for row in found.bad.kept] == [8 + 1_235, 8 + 5_000]
    assert "plain amount" in found.bad.kept[0].problem
    assert "3 cells" in found.bad.kept[1].problem
    assert (found.matched, found.missing_there.count) == (7, 4_998)
    # No write follows from a list, so a second run is the first one's answer.
    again = compare(world, store, text, tmp_path)
    assert (again.matched, again.breaks) == (found.matched, found.breaks)


def test_acquirer_compares_by_the_uetr_of_its_codes(
    world: World, store: Store, tmp_path: Path
) -> None:
    code = world.code(500_00, reference="TABLE-7")
    first = world.authorize("P-1", cny("500.00"), code=code)
    second = world.authorize("P-2", cny("500.00"), code=code, card="other_cardholder")
    static = world.authorize("P-3", cny("9.00"))
    acquirer = world.client("acquirer").payments
    acquirer.void(first, cny("500.00"), reference="V-1")
    acquirer.capture(second, cny("500.00"), reference="C-1")
    uetr = uuid.UUID(bytes=static.prepared.terms.uetr)
    text = (
        "reference,amount,currency,state,uetr\n"
        "TABLE-7,500.00,CNY,captured,\n"
        f"TICKET-3,9.00,CNY,open,{uetr}\n"
    )
    found = compare(world, store, text, tmp_path, role="acquirer", side="acquirer")
    assert (found.matched, found.breaks) == (2, 0)
    acquirer.capture(static, cny("9.00"), reference="C-3")
    found = compare(world, store, text, tmp_path, role="acquirer", side="acquirer")
    assert (found.matched, found.differing.count, found.breaks) == (1, 1, 1)


def test_payment_taken_twice_for_one_code_is_a_break(
    world: World, store: Store, tmp_path: Path
) -> None:
    code = world.code(500_00, reference="TABLE-8")
    acquirer = world.client("acquirer").payments
    for number, card in enumerate(("cardholder", "other_cardholder")):
        payment = world.authorize(f"P-{number}", cny("500.00"), code=code, card=card)
        acquirer.capture(payment, cny("500.00"), reference=f"C-{number}")
    text = HEAD + "TABLE-8,500.00,CNY,captured\n"
    found = compare(world, store, text, tmp_path, role="acquirer", side="acquirer")
    assert (found.matched, found.missing_here.count) == (1, 1)


def test_transfers_count_when_they_are_asked_for(
    world: World, store: Store, tmp_path: Path
) -> None:
    issuer = world.client("issuer")
    issuer.balances.transfer(world.address("acquirer"), cny("3.00"), reference="TR-1")
    issuer.balances.transfer(world.address("acquirer"), hkd("4.00"), reference="TR-2")
    issuer.balances.redeem(cny("5.00"), reference="RD-1")
    text = HEAD + "TR-1,3.00,CNY,settled\nRD-1,5.00,CNY,settled\nTR-9,1.00,CNY,settled\n"
    found = compare(world, store, text, tmp_path, transfers=True)
    assert (found.matched, found.missing_there.count, found.missing_here.count) == (2, 1, 1)
    (entry,) = found.missing_here.kept
    assert (entry.kind, entry.amount, entry.state) == ("transfer", hkd("4.00"), RowState.SETTLED)
    without = compare(world, store, text, tmp_path)
    assert (without.matched, without.bad.count, without.missing_here.count) == (0, 3, 0)


def test_period_limits_what_is_missing_here(world: World, store: Store, tmp_path: Path) -> None:
    world.authorize("OLD-1", cny("1.00"))
    world.node.advance_time(1_000)
    start = world.node.timestamp() + 1
    world.node.set_next_timestamp(start)
    world.authorize("NEW-1", cny("2.00"))
    text = HEAD + "OLD-1,1.00,CNY,open\n"
    found = compare(world, store, text, tmp_path)
    assert (found.matched, found.missing_here.count) == (1, 1)
    found = compare(world, store, text, tmp_path, before=start)
    assert (found.matched, found.breaks) == (1, 0)
    found = compare(world, store, HEAD + "NEW-1,2.00,CNY,open\n", tmp_path, since=start)
    assert (found.matched, found.breaks) == (1, 0)


def test_another_secret_finds_nothing(world: World, store: Store, tmp_path: Path) -> None:
    live(world)
    file = tmp_path / "list.csv"
    file.write_text(GOOD)
    other = Identifiers(world.address("issuer"), bytes(32))
    found = reconcile(catch_up(world, store), read_bank_file(file), other)
    assert (found.matched, found.missing_there.count, found.missing_here.count) == (0, 7, 7)


def read(folder: Path, content: str | bytes) -> list[BankRow | BadRow]:
    file = folder / "list.csv"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return list(read_bank_file(file))


@pytest.mark.threat("S30")
@pytest.mark.parametrize(
    "content",
    [
        "reference,amount,currency,state\nA-1,1.00,CNY,open\nB-1,2.00,HKD,captured\n",
        "\ufeffreference,amount,currency,state\r\nA-1,1.00,CNY,open\r\nB-1,2.00,HKD,captured\r\n",
        "Reference;Amount;Currency;State\nA-1;1.00;CNY;open\nB-1;2.00;HKD;captured",
        "state\tcurrency\tamount\treference\nopen\tCNY\t1.00\tA-1\ncaptured\tHKD\t2.00\tB-1\n",
        '"reference","note","amount","currency","state"\n'
        '"A-1","says ""hi"", twice\nand on","1.00","CNY","OPEN"\n'
        '"B-1","","2.00","HKD","Captured"\n',
        "reference, amount ,currency,state\n"
        " A-1 , 1.00 , CNY , authorized \n\nB-1,2.00,HKD,captured\n",
    ],
)
def test_list_is_read_however_it_was_saved(tmp_path: Path, content: str) -> None:
    rows = read(tmp_path, content)
    assert [(row.reference, row.amount, row.state) for row in rows] == [
        ("A-1", cny("1.00"), RowState.OPEN),
        ("B-1", hkd("2.00"), RowState.CAPTURED),
    ]


@pytest.mark.threat("S30")
def test_defused_reference_is_read_as_it_was(tmp_path: Path) -> None:
    rows = read(tmp_path, HEAD + "'+A-1,1.00,CNY,open\n'-B,1.00,CNY,open\n'C,1.00,CNY,open\n")
    assert [row.reference for row in rows] == ["+A-1", "-B", "'C"]


@pytest.mark.threat("S30")
@pytest.mark.parametrize(
    ("cells", "problem"),
    [
        ("=1+1,1.00,CNY,open", "reference"),
        ("A-1,1e2,CNY,open", "plain amount"),
        ("A-1,-1.00,CNY,open", "plain amount"),
        ("A-1,1.001,CNY,open", "decimal places"),
        ("A-1,\u0661.00,CNY,open", "plain amount"),
        ("A-1,1.00,cny,open", "three capital letters"),
        ("A-1,1.00,XXZ,open", "no currency"),
        ("A-1,1.00,CNY,done", "state is one of"),
        ("A-1,1.00,CNY", "3 cells"),
        ("A-1,1.00,CNY,open,more", "5 cells"),
        ("A//1,1.00,CNY,open", "reference"),
        (",1.00,CNY,open", "reference"),
        ("A" * 2_000 + ",1.00,CNY,open", "characters"),
    ],
)
def test_row_that_cannot_be_compared_is_told_with_its_line(
    tmp_path: Path, cells: str, problem: str
) -> None:
    good, bad, other = read(tmp_path, HEAD + f"G-1,1.00,CNY,open\n{cells}\nG-2,1.00,CNY,open\n")
    assert isinstance(good, BankRow)
    assert isinstance(other, BankRow)
    assert isinstance(bad, BadRow)
    assert bad.line == 3
    assert problem in bad.problem


def test_uetr_is_read_where_there_is_one(tmp_path: Path) -> None:
    head = "reference,amount,currency,state,uetr\n"
    uetr = "75405253-4530-4820-88fa-f4cc8086af55"
    rows = read(
        tmp_path,
        head + f"A,1.00,CNY,open,{uetr.upper()}\nB,1.00,CNY,open,\nC,1.00,CNY,open,{uetr[:-1]}\n",
    )
    assert rows[0].uetr == bytes.fromhex(uetr.replace("-", ""))
    assert rows[1].uetr is None
    assert isinstance(rows[2], BadRow)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "first line"),
        (b"reference,amount,currency\n", "state"),
        (b"reference,amount,currency,state,state\n", "state"),
        (b"reference,amount,currency,state\n\xff\xfe\n", "UTF-8"),
        ("reference,amount,currency,state\n".encode("utf-16"), "UTF-8"),
        (b'reference,amount,currency,state\n"A,1.00,CNY,open\n', "CSV"),
        (b"PK\x03\x04 an xlsx file", "first line"),
    ],
)
def test_file_that_is_no_list_is_refused(tmp_path: Path, content: bytes, problem: str) -> None:
    with pytest.raises(InvalidInputError, match=problem):
        read(tmp_path, content)


def test_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="No such file"):
        list(read_bank_file(tmp_path / "nothing.csv"))
    with pytest.raises(InvalidInputError):
        list(read_bank_file(tmp_path))
