"""Secrets of the first start: who may read them, what is refused, and that they show up nowhere."""

import configparser
import os
import stat

import pytest

from pipeline.errors import LandedError
from pipeline.stack.secrets import read, read_or_make

FILES = {"prefect", "mlflow-password", "mlflow-key", "review-key", "mlflow.ini", "mlflow-users.db"}


def secrets_of(made) -> tuple[str, ...]:
    return made.prefect, made.mlflow_password, made.mlflow_key, made.site_key


def mode(path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("umask", [0o000, 0o022])
def test_the_first_start_makes_files_that_only_their_owner_may_read(tmp_path, umask):
    folder = tmp_path / "secrets"
    before = os.umask(umask)
    try:
        read_or_make(folder)
    finally:
        os.umask(before)
    assert mode(folder) == 0o700
    assert {path.name for path in folder.iterdir()} == FILES
    assert {mode(path) for path in folder.iterdir()} == {0o600}


def test_they_stay_the_same_and_differ_between_installations(tmp_path):
    first = read_or_make(tmp_path / "one")
    assert read_or_make(tmp_path / "one") == first == read(tmp_path / "one")
    other = read_or_make(tmp_path / "two")
    values = [one for made in (first, other) for one in secrets_of(made)]
    assert len(set(values)) == 8
    assert all(len(value) >= 32 for value in values)


def test_a_representation_holds_no_secret(tmp_path):
    made = read_or_make(tmp_path / "secrets")
    for value in secrets_of(made):
        assert value not in repr(made)


def test_before_the_first_start_there_are_none(tmp_path):
    assert read(tmp_path / "secrets") is None
    assert not (tmp_path / "secrets").exists()


@pytest.mark.parametrize("name", ["prefect", "mlflow-password", "mlflow-key", "review-key", "mlflow-users.db"])
@pytest.mark.parametrize("wide", [0o640, 0o604, 0o660])
def test_a_file_that_others_may_read_is_refused_with_the_remedy(tmp_path, name, wide):
    made = read_or_make(tmp_path)
    (tmp_path / name).chmod(wide)
    with pytest.raises(LandedError) as refused:
        read_or_make(tmp_path)
    (finding,) = refused.value.findings
    assert finding.place == str(tmp_path / name)
    assert f"{wide:o}" in finding.found
    assert finding.remedy == f"chmod 600 {tmp_path / name}"
    assert made.mlflow_password not in str(refused.value)


def test_a_folder_that_others_may_enter_is_refused(tmp_path):
    read_or_make(tmp_path)
    tmp_path.chmod(0o755)
    for use in (read, read_or_make):
        with pytest.raises(LandedError, match="chmod 700"):
            use(tmp_path)


def test_an_empty_file_is_refused(tmp_path):
    read_or_make(tmp_path)
    (tmp_path / "prefect").write_text("\n")
    with pytest.raises(LandedError, match="is empty"):
        read_or_make(tmp_path)


def test_a_lost_password_is_not_replaced_by_one_that_mlflow_would_not_take(tmp_path):
    read_or_make(tmp_path)
    (tmp_path / "mlflow-users.db").write_bytes(b"users of MLflow")
    (tmp_path / "mlflow-password").unlink()
    with pytest.raises(LandedError, match="put it back, or delete"):
        read_or_make(tmp_path)
    assert not (tmp_path / "mlflow-password").exists()


def test_mlflow_reads_what_was_written_wherever_the_folder_lies(tmp_path):
    folder = tmp_path / "50% of it"
    folder.mkdir(mode=0o700)
    made = read_or_make(folder)
    parser = configparser.ConfigParser()
    parser.read(made.mlflow_config)
    assert parser["mlflow"]["admin_username"] == "landed"
    assert parser["mlflow"]["admin_password"] == made.mlflow_password
    assert parser["mlflow"]["database_uri"] == f"sqlite:///{folder / 'mlflow-users.db'}"
