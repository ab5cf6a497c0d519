import subprocess
import sys
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.accounts.passwords import hashed, matches, objection

OWN = ("ana.silva", "Ana Silva", "ana@example.com", "smart-replenishment")


@pytest.mark.parametrize(
    "password",
    [
        "", "short", "elevenchars",
        "Password1234", "p@ssw0rd1234!", "passwordpassword", "Welcome2026!!", "letmein12345",
        "qwertyuiop12", "1234567890123", "abcdefghijkl", "aaaaaaaaaaaa", "ababababababab", "zyxwvutsrqpon",
        "Ana.Silva.2026", "anasilva1234", "SILVA-silva-99", "Smart-Replenishment-1", "landed-2026-11", "Admin12345678",
        "iloveyou11111", "x" * 1025, "woaini1314520",
    ],
)  # fmt: skip
def test_what_everybody_would_try_is_refused_with_a_remedy(password):
    found = objection(password, *OWN)
    assert found is not None
    assert found.remedy
    assert not password or password not in found.found


@pytest.mark.parametrize(
    "password",
    [
        "correct horse battery staple", "tGd83kLpQz1x", "four grey herons wade", "739184620571", "gelbe Kähne im Nebel",
        "香蕉船在雾中慢慢地漂过河面", "banana bread is great", "my secret garden grows", "Silvaner, trocken, 1997",
    ],
)  # fmt: skip
def test_length_is_what_counts_and_no_mix_of_signs_is_asked_for(password):
    assert objection(password, *OWN) is None


@settings(deadline=None)
@given(st.text(max_size=11))
def test_less_than_twelve_characters_never_pass(password):
    if len(unicodedata.normalize("NFKC", password)) < 12:
        assert objection(password) is not None


@settings(deadline=None)
@given(st.text(min_size=1, max_size=60), st.text(min_size=1, max_size=60))
def test_only_the_password_matches_what_was_kept_of_it(password, other):
    kept = hashed(password)
    same = unicodedata.normalize("NFKC", password) == unicodedata.normalize("NFKC", other)
    assert matches(kept, password)
    assert matches(kept, other) == same
    assert not matches(None, password)
    assert password not in kept or len(password) < 4


@pytest.mark.parametrize("kept", ["", "plain text", "$argon2id$v=19$m=8,t=1,p=1$broken", "$2b$12$abcdefghijklmnop"])
def test_a_damaged_hash_matches_nothing(kept):
    assert not matches(kept, "")
    assert not matches(kept, kept)


def test_two_hashes_of_one_password_differ():
    assert hashed("four grey herons wade") != hashed("four grey herons wade")


def test_what_ships_costs_an_attacker_what_the_standard_asks():
    """RFC 9106, section 4, second recommended option: three passes over 64 MiB in four lanes. Tests pay less."""
    shown = "import pipeline.accounts.passwords as p; h = p._HASHER; print(h.time_cost, h.memory_cost, h.parallelism)"
    asked = subprocess.run([sys.executable, "-c", f"{shown}; print(p.hashed('x'))"], capture_output=True, text=True)
    parameters, kept = asked.stdout.splitlines()
    assert parameters == "3 65536 4"
    assert kept.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
