import pandas as pd
import pytest

from pipeline.compliance.personal import passes_luhn, sampled, signs


def kinds(column: str, *values: str) -> list[str]:
    return [sign.kind for sign in signs({"t": {column: values}})]


@pytest.mark.parametrize(
    "column", ["email", "E-Mail", "customerEmail", "first_name", "LastName", "customer_name", "birth_date", "IBAN"]
)
def test_a_column_named_like_a_persons_data_is_found(column: str) -> None:
    assert kinds(column) == ["named like a person's data"]


@pytest.mark.parametrize(
    "column",
    ["product_name", "store", "DepartmentGroup", "Start Inventory", "In Transit W+1", "name"],
)
def test_a_column_about_things_is_left_alone(column: str) -> None:
    assert kinds(column, "Milk", "2021-04-12", "12.50", "S001") == []


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("call jane.doe@example.co.uk today", "holds e-mail addresses"),
        ("+44 20 7946 0958", "holds telephone numbers"),
        ("GB82 WEST 1234 5698 7654 32", "holds bank accounts"),
        ("4111 1111 1111 1111", "holds payment card numbers"),
    ],
)
def test_a_value_of_a_person_is_found(value: str, kind: str) -> None:
    assert kinds("note", value) == [kind]


@pytest.mark.parametrize(
    "value", ["GB82 WEST 1234 5698 7654 33", "4111 1111 1111 1112", "4006381333931", "2026-11-23", "+5 %", "a@b"]
)
def test_a_value_that_only_resembles_one_is_left_alone(value: str) -> None:
    assert kinds("note", value) == []


def test_the_check_digit_is_the_standards_own_example() -> None:
    assert passes_luhn("79927398713")
    assert not any(passes_luhn(f"7992739871{digit}") for digit in "012456789")


def test_long_identifiers_that_pass_by_chance_are_no_cards() -> None:
    assert kinds("order", *(f"{9_000_000_000_000_000 + 7919 * place}" for place in range(200))) == []


def test_samples_hold_text_and_long_numbers_and_are_seeded() -> None:
    frame = pd.DataFrame(
        {
            "store": [f"S{place:04d}" for place in range(1000)],
            "units": range(1000),
            "card": [4_111_111_111_111_111] * 1000,
            "when": pd.date_range("2026-01-01", periods=1000),
            "share": 0.5,
        }
    )
    first, again = (sampled({"sales": frame}, seed=1, rows=50)["sales"] for _ in range(2))
    assert first == again
    assert {name: len(values) for name, values in first.items()} == {
        "store": 50, "units": 0, "card": 1, "when": 0, "share": 0,
    }  # fmt: skip
    assert [str(sign) for sign in signs({"sales": first})] == ["sales.card (holds payment card numbers)"]


def test_a_column_of_categories_is_read_and_empty_values_are_skipped() -> None:
    frame = pd.DataFrame({"who": pd.Categorical(["x@example.com", None])})
    assert [sign.column for sign in signs(sampled({"t": frame}, seed=1))] == ["who"]
