"""What the domain finds wrong in a charter, and that finding it loads no model library."""

import json
import subprocess
import sys
from datetime import date, timedelta

import pytest

from pipeline.charter import Charter, read_charter
from pipeline.replenishment.demand import CHAINS
from pipeline.replenishment.offers import RECORDED, SOURCES, check
from pipeline.replenishment.parameters import business_of
from tests.replenishment.made import CONFIGS, TODAY, charter


def changed(case: str, **values: object) -> Charter:
    """A shipped charter with values put at dotted paths, whether or not feedback may change them."""
    canonical = charter(case).canonical()
    for path, value in values.items():
        place = canonical
        *steps, last = [int(step) if step.isdigit() else step for step in path.split("__")]
        for step in steps:
            place = place[step]
        if value is None:
            del place[last]
        else:
            place[last] = value
    return Charter.model_validate_json(json.dumps(canonical))


@pytest.mark.parametrize("case", ["replenishment", "vn2", "turnover"])
def test_the_shipped_charters_have_nothing_to_mend(case):
    assert check(charter(case)) == ()


CASES = [
    ({"kpi__name": "stockout_rat"}, ("kpi", "name"), "did you mean `stockout_rate`"),
    ({"kpi__unit": "percent"}, ("kpi", "unit"), "unit: share"),
    ({"kpi__direction": "higher"}, ("kpi", "direction"), "direction: lower"),
    ({"guardrails__1__name": "inventory"}, ("guardrails", 1, "name"), "average_inventory"),
    ({"kpi__baseline__policy": "todays_rule"}, ("kpi", "baseline", "policy"), "incumbent"),
    ({"data__source": "retail"}, ("data", "source"), "did you mean `retailer`"),
    ({"data__period": "day"}, ("data", "period"), "period: week"),
    ({"business__lead_time": None}, ("business", "lead_time"), "add `lead_time:`"),
    ({"business__holding_cost": "cheap"}, ("business", "holding_cost"), "write a number > 0"),
    ({"business__lead_time": 2.5}, ("business", "lead_time"), "a whole number"),
    ({"business__lead_times": 2}, ("business", "lead_times"), "did you mean `lead_time`"),
    ({"business__last_order": "2024-05-13"}, ("business", "last_order"), "leave the key out"),
    ({"policy__name": "path"}, ("policy", "name"), "did you mean `paths`"),
    (
        {"policy__name": "paths", "policy__parameters": {"service_level": 1.2}},
        ("policy", "parameters", "service_level"), "< 1",
    ),
    ({"policy__name": "order_up_to", "policy__parameters": {}}, ("policy", "parameters", "cover"), "add `cover:`"),
    ({"model__candidates__0__algorithm": "lightgbm"}, ("model", "candidates", 0, "algorithm"), "lightgbm_poisson"),
    (
        {"model__candidates__1__features": ["level", "promotion"]},
        ("model", "candidates", 1, "features", 1), "promotions",
    ),
    ({"model__candidates__0__parameters": {"leafs": 3}}, ("model", "candidates", 0, "parameters", "leafs"), "leaves"),
    ({"model__candidates__0__parameters": {"rounds": 1}}, ("model", "candidates", 0, "parameters", "rounds"), "≥ 10"),
]  # fmt: skip


@pytest.mark.parametrize(("values", "path", "remedy"), CASES, ids=[".".join(map(str, case[1])) for case in CASES])
def test_what_is_wrong_is_found_at_its_place_with_what_to_write(values, path, remedy):
    found = [advice for advice in check(changed("replenishment", **values)) if advice.path == path]
    assert len(found) == 1
    assert remedy in found[0].remedy


@pytest.mark.parametrize("written", ["13.05.2024", "soon", 20240513, True])
def test_a_last_order_is_a_date(written):
    (found,) = check(changed("vn2", business__last_order=written))
    assert found.path == ("business", "last_order")
    assert "write a date, such as" in found.remedy
    assert business_of(charter("vn2")).last_order == date(2024, 4, 8) + timedelta(weeks=5)


def test_checking_a_charter_loads_no_model_library():
    program = (
        "import sys; from pipeline.problems.registry import find; from tests.replenishment.made import charter\n"
        "assert find('replenishment').check(charter('vn2')) == ()\n"
        "heavy = {'lightgbm', 'sklearn', 'scipy', 'mlflow', 'prefect', 'evidently'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


def test_the_service_first_variant_differs_in_its_goal_and_service_level_only():
    cost, service = charter("vn2"), read_charter(CONFIGS / "vn2" / "charter-service.yaml", TODAY)
    assert check(service) == ()
    for section in ("data", "business", "model", "scope", "people", "sign"):
        assert getattr(service, section) == getattr(cost, section)
    assert service.policy.parameters["service_level"] > cost.policy.parameters["service_level"]


def test_every_source_is_either_a_world_that_answers_or_recorded_history():
    assert sorted((*CHAINS, *RECORDED)) == sorted(SOURCES)
