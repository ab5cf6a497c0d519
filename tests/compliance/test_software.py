"""The software in use: what pip says is installed is what is recorded, and advisories count for installed versions."""

import json
from importlib.metadata import version
from pathlib import Path

import pytest

from pipeline.compliance.software import installed, normal, software
from pipeline.errors import DataError


def test_every_package_on_record_is_installed_in_that_version() -> None:
    packages = {package.name: package for package in installed()}
    for name in ("numpy", "pandas", "lightgbm", "prefect", "mlflow", "sqlalchemy", "pyyaml"):
        assert packages[name].version == version(name)
        assert packages[name].licence
    assert "landed" not in packages
    assert "pytest" not in packages, "what only an extra needs is not shipped"


def test_a_name_is_compared_as_indexes_do() -> None:
    assert normal("Ruamel.Yaml__x") == "ruamel-yaml-x"


def test_only_advisories_for_an_installed_version_are_kept(tmp_path: Path) -> None:
    told = {
        "dependencies": [
            {"name": "NumPy", "version": version("numpy"), "vulns": [{"id": "PYSEC-1", "fix_versions": ["99"]}]},
            {"name": "numpy", "version": "0.0.1", "vulns": [{"id": "PYSEC-2", "fix_versions": []}]},
            {"name": "pandas", "version": version("pandas"), "vulns": []},
            {"name": "unknown-thing", "version": "1", "vulns": [{"id": "PYSEC-3", "fix_versions": []}]},
            {"name": "skipped", "skip_reason": "not found"},
        ]
    }
    path = tmp_path / "advisories.json"
    path.write_text(json.dumps(told))
    found = software(path)
    assert found.advisories is not None
    assert [(one.package, one.id, one.fixed_in) for one in found.advisories] == [("numpy", "PYSEC-1", ("99",))]
    assert software(None).advisories is None


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"dependencies": [{"vulns": [{}]}]}'])
def test_a_file_that_is_none_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "advisories.json"
    path.write_text(text)
    with pytest.raises(DataError, match="advisories cannot be read"):
        software(path)
    with pytest.raises(DataError, match="advisories cannot be read"):
        software(tmp_path / "none.json")
