import hashlib
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import LedgerError
from pipeline.ledger.chain import GENESIS, HASHED, canonical, digest, event_hash

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)
TEXTS = st.text(max_size=6)
FIELDS = st.fixed_dictionaries({"seq": st.integers(1, 9), **{name: TEXTS for name in HASHED if name != "seq"}})


def test_the_hash_is_sha256_of_the_documented_preimage():
    names = ("at", "actor", "role", "kind", "project", "subject", "body")
    values = ("2026-01-02T03:04:05.000000+00:00", "ana", "sponsor", "k", "p", "s", '{"é":1}')
    fields = {"seq": 1, **dict(zip(names, values, strict=True))}
    preimage = f'["{GENESIS}",1,"2026-01-02T03:04:05.000000+00:00","ana","sponsor","k","p","s","{{\\"\\u00e9\\":1}}"]'
    assert event_hash(GENESIS, fields) == hashlib.sha256(preimage.encode()).hexdigest()


def test_sha256_agrees_with_the_standards_test_vector():
    assert digest("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


@settings(deadline=None)
@given(FIELDS, st.sampled_from(HASHED), TEXTS)
def test_changing_any_field_changes_the_hash(fields, name, other):
    changed = {**fields, name: fields["seq"] + 1 if name == "seq" else other}
    if changed != fields:
        assert event_hash(GENESIS, changed) != event_hash(GENESIS, fields)


@settings(deadline=None)
@given(FIELDS, TEXTS)
def test_moving_a_letter_from_one_field_to_the_next_changes_the_hash(fields, text):
    one = {**fields, "actor": text + "x", "role": "y"}
    other = {**fields, "actor": text, "role": "xy"}
    assert event_hash(GENESIS, one) != event_hash(GENESIS, other)


@settings(deadline=None)
@given(JSON)
def test_canonical_text_reads_back_as_the_value_and_does_not_hang_on_key_order(value):
    assert json.loads(canonical(value)) == value
    assert canonical(json.loads(json.dumps(value))) == canonical(value)
    assert canonical({"a": value, "b": 1}) == canonical({"b": 1, "a": value})


@pytest.mark.parametrize("value", [float("nan"), float("inf"), {1, 2}, object(), "\ud800"])
def test_what_is_not_json_is_refused_with_a_remedy(value):
    with pytest.raises(LedgerError, match="plain JSON"):
        canonical({"a": value})
