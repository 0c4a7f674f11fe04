"""Raw requests: a node's answers are matched, and what is no answer is never taken for one."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from tael import Chain
from tael.errors import ContractRevertedError, NodeUnavailableError, TooMuchError
from tael.rpc import request, request_many
from tael.services.signatures import compact, is_signed_by
from tests.sdk.world import World, cny

ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


def chain_answering(*answers: Any) -> Chain:
    """A chain whose provider gives these answers, one a request."""
    left = list(answers)
    chain = Chain.__new__(Chain)
    provider = SimpleNamespace(
        make_request=lambda *_: left.pop(0), make_batch_request=lambda *_: left.pop(0)
    )
    chain.w3 = SimpleNamespace(provider=provider)  # type: ignore[assignment]
    chain.url = "http://127.0.0.1:1"
    chain.retry_seconds = 0.0
    return chain


def answer(number: int, result: object = "0x1") -> dict[str, object]:
    return {"jsonrpc": "2.0", "id": number, "result": result}


def failure(number: int, message: str, code: int = -32000, **more: object) -> dict[str, object]:
    return {"jsonrpc": "2.0", "id": number, "error": {"code": code, "message": message, **more}}


def test_request_gives_the_result_when_there_is_one() -> None:
    assert request(chain_answering(answer(1, "0x7")), "eth_blockNumber") == "0x7"
    assert request(chain_answering(answer(1, None)), "eth_getTransactionReceipt", "0x") is None


@pytest.mark.parametrize("wrong", [{}, None, "<html>", {"id": 1}, failure(1, "no such method")])
def test_request_is_unavailable_when_the_answer_is_none(wrong: object) -> None:
    with pytest.raises(NodeUnavailableError):
        request(chain_answering(wrong), "eth_blockNumber")


def test_request_says_so_when_the_answer_would_be_too_large() -> None:
    for words in ("query returned more than 10000 results", "block range is too large"):
        with pytest.raises(TooMuchError):
            request(chain_answering(failure(1, words, -32005)), "eth_getLogs", {})


def test_request_is_a_refusal_when_the_contract_reverts() -> None:
    data = "0x" + "00" * 4
    reverted = failure(1, "execution reverted", 3, data=data)
    with pytest.raises(ContractRevertedError):
        request(chain_answering(reverted), "eth_call", {})


@pytest.mark.threat("S14")
def test_request_many_is_unavailable_when_answers_do_not_belong_to_the_requests() -> None:
    calls = [("eth_chainId", []), ("eth_blockNumber", [])]
    assert request_many(chain_answering([answer(5, "a"), answer(6, "b")]), calls) == ["a", "b"]
    assert request_many(chain_answering(), []) == []
    for wrong in (
        [answer(5)],
        [answer(5), answer(6), answer(7)],
        [answer(5), answer(7)],
        [answer(5), answer(5)],
        [answer(5), {"jsonrpc": "2.0", "result": "0x1"}],
        failure(5, "batches are not allowed"),
        answer(5),
        [answer(5), failure(6, "half of it failed")],
    ):
        with pytest.raises(NodeUnavailableError):
            request_many(chain_answering(wrong), calls)


@pytest.mark.threat("S20")
def test_call_is_refused_when_an_argument_does_not_fit(world: World) -> None:
    from tael.errors import InvalidInputError

    token = world.client("issuer").contract("SettlementToken", "CNY")
    for amount in (2**256, -1, 1.5, "1"):
        with pytest.raises(InvalidInputError):
            token.function("issue").encode(world.address("issuer"), amount, bytes(32))
    with pytest.raises(KeyError):
        token.function("nothing")


def test_compact_takes_only_what_an_ordinary_key_signs(world: World) -> None:
    digest = b"\7" * 32
    card = world.signers["cardholder"]
    signature = card.sign_digest(digest)
    words = compact(signature)
    assert words is not None
    assert compact(b"".join(words)) == words
    assert compact(signature[:64] + bytes([signature[64] - 27])) == words
    assert is_signed_by(card.address, digest, words)
    assert not is_signed_by(world.address("outsider"), digest, words)
    assert not is_signed_by(card.address, b"\x08" * 32, words)
    assert not is_signed_by(card.address, digest, (bytes(32), bytes(32)))
    high = (ORDER - int.from_bytes(signature[32:64], "big")).to_bytes(32, "big")
    for other in (b"", signature[:63], signature[:64] + b"\5", signature[:32] + high + b"\x1c"):
        assert compact(other) is None


def test_authorize_takes_a_compact_signature_when_given_one(world: World) -> None:
    payment = world.sign("P-1", cny("5.00"))
    words = compact(payment.card_signature)
    assert words is not None
    short = replace(payment, card_signature=b"".join(words))
    issuer = world.client("issuer")
    assert not issuer.payments.authorize(short, reference="P-1").repeated
