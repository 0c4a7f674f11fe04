"""`tael qr`: codes made and read without a network."""

import json
import os
import resource
import subprocess
import uuid

import pytest
from eth_account import Account

from tael import qr
from tests.sdk.qr.qr_cases import VECTORS
from tests.sdk.qr.test_qr_vectors import ACCEPTED
from tests.support.cli_runner import PROGRAM

KEY = "0x" + "22" * 32
SIGNER = Account.from_key(KEY).address
MERCHANT_ID = "0x" + "5e" * 32
ESCROW = "0xCf7Ed3AccA5a467e9e704C703E8D87F634fB0Fc9"
TOKEN = "0xe7f1725E7734CE288F8367e1Bb143E90bb3F0512"
PLACE = ("--chain-id", "1337", "--escrow", ESCROW, "--token", TOKEN)
SHOP = (
    *("--name", "BEST TRANSPORT", "--city", "BEIJING", "--country", "CN"),
    *("--category", "4111", "--currency", "CNY"),
)
UNIONPAY = ("--account", "15=" + "3101000000000000" + "A" * 15)


@pytest.fixture
def payload():
    return next(each["payload"] for each in VECTORS if each["kind"] == "valid")


# Reading


@pytest.mark.parametrize("strict", [False, True])
def test_read_rules_as_the_vectors_say_when_given_line_by_line(tael, strict):
    vectors = [each for each in VECTORS if "\n" not in each["payload"]]
    file = tael.folder / "codes.txt"
    file.write_text("".join(each["payload"] + "\n" for each in vectors), newline="")
    result = tael("qr", "read", "--lines", str(file), "--json", *(["--strict"] if strict else []))
    assert result.code == 2
    documents = result.documents
    assert len(documents) == len(vectors) > 50
    for vector, found in zip(vectors, documents, strict=True):
        assert found["accepted"] is ACCEPTED[vector["kind"]][strict], vector["id"]
        assert set(found) == {"accepted", "scheme", "fields", "warnings", "error"}
        assert (found["error"] is None) is found["accepted"]
        assert found == json.loads(json.dumps(qr.describe(vector["payload"], strict=strict)))


def test_read_exits_0_when_every_code_is_accepted(tael, payload):
    result = tael("qr", "read", payload, payload, "--json")
    assert result.code == 0
    assert [each["accepted"] for each in result.documents] == [True, True]
    assert result.documents[0]["fields"]["59"] == "BEST TRANSPORT"
    assert result.documents[0]["fields"]["62"]["07"] == "A6008667"


def test_read_exits_2_and_goes_on_when_one_code_is_refused(tael, payload):
    result = tael("qr", "read", "https://example.com", payload, "--json")
    assert result.code == 2
    refused, accepted = result.documents
    assert refused["error"]["code"] == "qr_not_payment"
    assert accepted["accepted"]


def test_read_takes_a_text_for_text_when_it_begins_with_a_dash(tael):
    result = tael("qr", "read", "--json", "--", "-x", "--lines")
    assert [each["error"]["code"] for each in result.documents] == ["qr_not_payment"] * 2


def test_read_keeps_spaces_when_reading_lines(tael, payload):
    done = tael.process(
        "qr",
        "read",
        "--lines",
        "-",
        "--json",
        "--strict",
        stdin=f" {payload}\n{payload} \n".encode(),
    )
    assert [each["accepted"] for each in done.documents] == [False, False]
    lenient = tael.process("qr", "read", "--lines", "-", "--json", stdin=f" {payload}".encode())
    (found,) = lenient.documents
    assert found["accepted"]
    assert found["warnings"]


def test_read_gives_one_object_a_line_when_lines_are_empty_or_endless(tael, payload):
    stdin = b"\n" + payload.encode() + b"\r\n" + b"9" * 200_000 + b"\n\xff\xfe\n" + payload.encode()
    done = tael.process("qr", "read", "--lines", "-", "--json", stdin=stdin)
    assert [each["accepted"] for each in done.documents] == [False, True, False, False, True]
    assert done.code == 2


def test_read_answers_each_line_at_once_when_piped(payload):
    process = subprocess.Popen(
        [*PROGRAM, "qr", "read", "--lines", "-", "--json"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    for _ in range(3):
        process.stdin.write(payload.encode() + b"\n")
        process.stdin.flush()
        assert json.loads(process.stdout.readline())["accepted"]
    process.stdin.close()
    assert process.wait(20) == 0
    process.stdout.close()


def test_read_stays_fast_when_there_are_thousands_of_lines(tael):
    payloads = [each["payload"] for each in VECTORS if "\n" not in each["payload"]]
    count = 5_000
    stdin = "".join(payloads[index % len(payloads)] + "\n" for index in range(count)).encode()
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    done = tael.process("qr", "read", "--lines", "-", "--json", stdin=stdin)
    assert done.out.count("\n") == count
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before < 5


def test_read_takes_a_picture_only_when_the_file_is_there(tael, payload):
    picture = tael.folder / "code.PNG"
    picture.write_bytes(qr.to_png(payload))
    assert tael.json("qr", "read", str(picture))["fields"]["59"] == "BEST TRANSPORT"
    missing = tael("qr", "read", "missing.png")
    assert missing.code == 2
    assert "there is no file missing.png" in missing.err
    assert "qr_not_payment" in missing.out
    (tael.folder / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nrubbish")
    assert tael.json("qr", "read", "broken.png", code=2)["error"]["code"] == "qr_image_unreadable"
    (tael.folder / "folder.png").mkdir()
    assert tael("qr", "read", "folder.png", "-q").out == "qr_not_payment\n"


def test_read_refuses_bytes_that_are_no_text(tael):
    found = tael.json("qr", "read", os.fsdecode(b"0002\xff\xfe"), code=2)
    assert found["error"]["code"] == "qr_malformed"


@pytest.mark.threat("Q12")
def test_read_shows_no_control_characters_when_a_code_has_them(tael):
    result = tael("qr", "read", "\x1b[31m", "a\u202eb", "[bold]x[/bold]")
    assert "\x1b" not in result.out
    assert "\u202e" not in result.out
    assert "[bold]x[/bold]" in result.out
    assert tael("qr", "read", "a\u202eb", "--json").out.isascii()


def test_read_shows_fields_and_warnings_when_people_look(tael, payload):
    result = tael("qr", "read", payload)
    assert "59     name" in result.out
    assert "BEST TRANSPORT" in result.out
    assert "北京" in result.out
    lenient = next(each["payload"] for each in VECTORS if each["kind"] == "lenient")
    assert "warning" in tael("qr", "read", lenient).out


def test_read_shows_payers_codes_and_links_when_scanned(tael):
    code = next(each["payload"] for each in VECTORS if each["payload"].startswith("hQVDUFYwMW"))
    shown = tael("qr", "read", code)
    assert (shown.code, "4F" in shown.out) == (0, True)
    link = tael("qr", "read", "https://qr.95516.com/00010000/62321111111111111111")
    assert (link.code, "host" in link.out) == (0, True)
    assert "6212345678901234567" in tael("qr", "read", "6212345678901234567").out


def test_read_is_refused_when_there_is_nothing_to_read(tael):
    assert tael.json("qr", "read", code=2)["error"]["code"] == "usage"
    assert tael.json("qr", "read", "--lines", "missing", code=2)["error"]["code"] == "invalid_input"


# Making


def make(tael, *words, code=0):
    return tael.json("qr", "make", *SHOP, *words, code=code)


def test_make_writes_a_picture_that_reads_back(tael):
    document = make(tael, *UNIONPAY, "--amount", "23.72", "--bill", "B-1", "--out", "till.png")
    found = tael.json("qr", "read", "till.png", "--strict")
    assert found["fields"]["54"] == "23.72"
    assert found["fields"]["62"] == {"01": "B-1"}
    assert document["dynamic"] is True
    assert document["signed"] is False
    assert (document["amount_minor"], document["currency"]) == (2372, "CNY")
    assert qr.read_image(tael.folder / "till.png") == document["text"]


def test_make_writes_svg_and_draws_in_the_terminal(tael):
    make(tael, *UNIONPAY, "-o", "till.svg")
    assert (tael.folder / "till.svg").read_text().startswith("<svg")
    drawn = tael("qr", "make", *SHOP, *UNIONPAY)
    assert "█" in drawn.out
    text = make(tael, *UNIONPAY)["text"]
    assert text in drawn.out.splitlines()
    assert tael("qr", "make", *SHOP, *UNIONPAY, "-q").out == text + "\n"


def test_make_is_static_or_dynamic_when_told(tael):
    assert make(tael, *UNIONPAY)["dynamic"] is False
    assert make(tael, *UNIONPAY, "--amount", "1.00", "--static")["dynamic"] is False


@pytest.mark.parametrize(
    ("tip", "field", "total"),
    [("prompt", {"55": "01"}, 1000), ("fixed:1.50", {"55": "02", "56": "1.50"}, 1150),
     ("percent:2.5", {"55": "03"}, 1025)],
)  # fmt: skip
def test_make_adds_a_tip_when_told(tael, tip, field, total):
    document = make(tael, *UNIONPAY, "--amount", "10.00", "--tip", tip)
    assert document["total_minor"] == total
    assert field.items() <= qr.describe(document["text"].encode())["fields"].items()


def test_make_carries_names_and_other_accounts_when_given(tael):
    words = ("--account", "26.00=com.example", "--account", "26.01=42", "--local-name", "zh=北京")
    fields = qr.describe(make(tael, *words)["text"].encode())["fields"]
    assert fields["26"] == {"00": "com.example", "01": "42"}
    assert fields["64"] == {"00": "zh", "01": "北京"}


def entry():
    return qr.MerchantEntry(
        acquirer=ESCROW,
        signer=SIGNER,
        name_hash=qr.compute_name_hash(bytes.fromhex(MERCHANT_ID[2:]), "BEST TRANSPORT"),
        category_code="4111",
        static_limit_minor=100_00,
        active=True,
    )


def verify(text, now):
    return qr.verify(
        qr.read(text),
        entry(),
        chain_id=1337,
        escrow=ESCROW,
        now=now,
        token_for_currency={"CNY": TOKEN},
    )


def test_make_signs_a_dynamic_code_when_key_and_merchant_are_given(tael):
    tael.set(TAEL_MERCHANT_KEY=KEY)
    uetr = str(uuid.uuid4())
    document = make(
        tael, "--amount", "23.72", "--merchant", MERCHANT_ID, *PLACE, "--uetr", uetr,
        "--expires-at", "1800000000",
    )  # fmt: skip
    assert document["signed"] is True
    assert (document["uetr"], document["expires_at"]) == (uetr, 1_800_000_000)
    verified = verify(document["text"], 1_799_999_999)
    assert (verified.amount_minor, str(uuid.UUID(bytes=verified.uetr))) == (2372, uetr)


def test_make_signs_a_static_code_when_there_is_no_amount(tael):
    tael.set(OTHER=KEY)
    document = make(tael, "--merchant", MERCHANT_ID, *PLACE, "--merchant-key-env", "OTHER")
    assert (document["uetr"], document["expires_at"]) == (None, None)
    assert verify(document["text"], 0).name == "BEST TRANSPORT"


def test_make_reads_the_key_from_a_descriptor(tael):
    read_end, write_end = os.pipe()
    os.write(write_end, KEY.encode() + b"\n")
    os.close(write_end)
    words = ("--merchant", MERCHANT_ID, *PLACE, "--merchant-key-fd", str(read_end))
    assert make(tael, *words)["signed"] is True


def test_make_reads_the_key_from_a_keystore(tael):
    keystore = tael.folder / "till.json"
    keystore.write_text(json.dumps(Account.encrypt(KEY, "pass", kdf="scrypt", iterations=2)))
    keystore.chmod(0o600)
    words = ("--merchant", MERCHANT_ID, *PLACE, "--merchant-keystore", str(keystore))
    error = make(tael, *words, code=2)["error"]
    assert error["code"] == "signing_key"
    assert "TAEL_KEYSTORE_PASSWORD" in error["message"]
    tael.set(TAEL_KEYSTORE_PASSWORD="pass")
    assert make(tael, *words)["signed"] is True


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ((), "qr_not_conforming"),
        (("--account", "15"), "usage"),
        (("--account", "26.01=x"), "usage"),
        (("--account", "26.00=a", "--account", "26.00=b"), "usage"),
        (("--account", "26.00=a", "--account", "26=b"), "usage"),
        ((*UNIONPAY, "--amount", "1.234"), "amount_invalid"),
        ((*UNIONPAY, "--amount", "-1"), "amount_invalid"),
        ((*UNIONPAY, "--tip", "half"), "usage"),
        ((*UNIONPAY, "--tip", "percent:2.5000"), "usage"),
        ((*UNIONPAY, "--tip", "percent:²"), "usage"),
        ((*UNIONPAY, "--local-name", "北京"), "usage"),
        ((*UNIONPAY, "--merchant-key-env", "X"), "usage"),
        ((*UNIONPAY, "--out", "x.gif"), "invalid_input"),
        ((*UNIONPAY, "--out", "no/such/folder.png"), "invalid_input"),
        (("--merchant", "0x12", *PLACE), "signing_key"),
        (("--merchant", MERCHANT_ID), "signing_key"),
    ],
)
def test_make_is_refused_when_words_do_not_go_together(tael, words, code):
    assert make(tael, *words, code=2)["error"]["code"] == code


@pytest.mark.parametrize(
    "words", [("--uetr", "12"), ("--expires-in", "soon"), ("--expires-at", "2027-01-15T08:00:00")]
)
def test_make_is_refused_when_uetr_or_expiry_is_unusable(tael, words):
    tael.set(TAEL_MERCHANT_KEY=KEY)
    words = ("--amount", "1.00", "--merchant", MERCHANT_ID, *PLACE, *words)
    assert make(tael, *words, code=2)["error"]["code"] == "invalid_input"


def test_make_asks_for_a_manifest_when_the_place_is_not_said(tael):
    tael.set(TAEL_MERCHANT_KEY=KEY, TAEL_MANIFEST=str(tael.folder / "none.json"))
    error = make(tael, "--merchant", MERCHANT_ID, code=2)["error"]
    assert error["code"] == "configuration"
