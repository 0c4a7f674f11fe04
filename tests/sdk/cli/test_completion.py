"""`tael completion`."""

import pytest


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_a_script_when_a_shell_is_named(tael, shell):
    result = tael("completion", shell)
    assert result.code == 0
    assert "_TAEL_COMPLETE" in result.out


def test_completion_is_refused_when_the_shell_is_unknown(tael):
    assert tael.set(SHELL="/bin/tcsh")("completion").code == 2
    assert tael("completion", "tcsh").code == 2


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("tael pa", {"participant", "pay"}),
        ("tael participant s", {"status", "suspend"}),
        ("tael pay --card-k", {"--card-key-env", "--card-key-fd", "--card-keystore"}),
    ],
)
def test_completion_completes_words_when_the_shell_asks(tael, line, expected):
    words = str(len(line.split()) - 1)
    tael.set(_TAEL_COMPLETE="complete_bash", COMP_WORDS=line, COMP_CWORD=words)
    assert set(tael.process().out.split()) == expected
