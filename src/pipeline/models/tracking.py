"""MLflow: one parent run an iteration, a child run per candidate, and the registry with its aliases.

The only module that imports MLflow. The store is what :mod:`pipeline.models.store` reads from the settings. Everything
is idempotent: an iteration is found again by its tag ``landed.iteration`` and a candidate by its training key, so a run
that was killed is resumed and never doubled, and a call that met a passing fault of the store is made again as a
whole. Models are logged in LightGBM's native text format with pinned requirements (without them MLflow installs
nothing but spends nine seconds on guessing); no pickle is ever written.

Beside MLflow's own model, the candidate's directory is kept byte for byte under the artifact ``candidate``; that copy
is what :meth:`Tracking.released` hands back, after its hash was held against the one noted at registration.
"""

import json
import logging
import math
import os
import shutil
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version as installed
from pathlib import Path
from typing import Literal, get_args
from urllib.parse import urlparse
from urllib.request import url2pathname

# Read as MLflow loads or calls: no usage statistics, no bars or links printed by a library, and no repeating of single
# requests: one that creates a run and whose answer was lost would create it twice. Whole methods are repeated.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")

import mlflow
import mlflow.lightgbm
from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param, Run, RunTag
from mlflow.exceptions import MlflowException
from mlflow.models import ModelSignature
from mlflow.tracking import MlflowClient
from mlflow.types import ColSpec, DataType, Schema
from mlflow.utils import requirements_utils

from pipeline.addresses import without_secrets
from pipeline.errors import Finding, LedgerError, ModelError
from pipeline.models.boosters import read_booster
from pipeline.models.faults import Fault, persistent
from pipeline.models.files import checked, digest
from pipeline.models.records import CandidateRecord, IterationRecord, Release, Scalar
from pipeline.models.store import opened, store_of
from pipeline.settings import Settings

Alias = Literal["challenger", "champion"]
ALIASES: tuple[Alias, ...] = get_args(Alias)
Status = Literal["FINISHED", "FAILED", "KILLED"]

ITERATION = "landed.iteration"
TRAINING = "landed.training"
FILES = "landed.files"
MODEL = "landed.logged_model"
FOLDER = "candidate"
BOOSTER = "model.txt"

#: MLflow keeps at most this many characters of a dataset's digest; the tag holds all of it.
_DIGEST = 36
#: MLflow takes at most this many metrics, parameters and tags in one batch.
_BATCH = 100
#: How MLflow says that a model or an alias does not exist; anything else is a fault of the store.
_ABSENT = ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE")


class Tracking:
    """The tracking store of one installation.

    Args:
        settings: say where it is; a SQLite file and its folder are created on first use.

    Raises:
        LedgerError: the store cannot be created, reached, read or written.
    """

    def __init__(self, settings: Settings) -> None:
        self.store = store_of(settings)
        self.uri = self.store.uri
        for noisy in ("mlflow", "alembic"):
            logging.getLogger(noisy).setLevel(logging.ERROR)
        # MLflow logs a traceback of its own before it raises; the error below says the same to a person.
        logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)
        self._client = self._connected()

    @persistent
    def _connected(self) -> MlflowClient:
        with opened(self.store, lambda uri: MlflowClient(tracking_uri=uri, registry_uri=uri)):
            client = MlflowClient(tracking_uri=self.uri, registry_uri=self.uri)
            if self.store.remote:
                client.search_experiments(max_results=1)
        return client

    def refused(self, met: Fault) -> LedgerError:
        """The error for a fault of the store, without its password."""
        finding = Finding(self.store.place, without_secrets(met.found, self.uri), met.remedy)
        return LedgerError("The tracking store refused", [finding])

    @persistent
    def open(self, record: IterationRecord) -> str:
        """Open the iteration's parent run, or resume it if it is there.

        Returns:
            The run's id.

        Raises:
            LedgerError: the store cannot be read or written.
        """
        tags = {
            ITERATION: record.key,
            "landed.project": record.project,
            "landed.number": str(record.number),
            "landed.stage": record.stage,
            "landed.charter": record.charter,
            "landed.data": record.dataset.digest,
            "landed.code": record.code,
            "landed.started_by": record.started_by,
        }
        experiment = self._experiment(record.project)
        run = self._find(experiment, {ITERATION: record.key})
        if run is None:
            name = f"iteration {record.number} ({record.stage})"
            run = self._client.create_run(experiment, tags=tags, run_name=name)
        else:
            self._client.update_run(run.info.run_id, status="RUNNING")
            self._batch(run, tags=tags)
        if run.inputs is None or not run.inputs.dataset_inputs:
            self._client.log_inputs(run.info.run_id, [_dataset(record)])
        return str(run.info.run_id)

    @persistent
    def log_candidate(self, parent: str, record: CandidateRecord) -> str:
        """Log a trained candidate as a child run; a finished one of the same training key is left as it is.

        Returns:
            The child run's id.

        Raises:
            ModelError: its directory is missing, empty or holds an unsafe format.
            LedgerError: the store cannot be read or written.
        """
        files = checked(record.directory)
        experiment = self._client.get_run(parent).info.experiment_id
        tags = {"mlflow.parentRunId": parent, TRAINING: record.key}
        run = self._find(experiment, tags)
        if run is not None and run.info.status == "FINISHED":
            return str(run.info.run_id)
        if run is None:
            run = self._client.create_run(experiment, tags=tags, run_name=record.name)
        described = {"landed.candidate": record.name, FILES: digest(record.directory), **record.tags}
        self._batch(run, params=record.parameters, metrics=record.metrics, tags=described)
        self._client.log_artifacts(run.info.run_id, str(record.directory), FOLDER)
        if record.backtest is not None:
            self._client.log_text(run.info.run_id, record.backtest.to_csv(index=False), "backtest.csv")
        if record.directory / BOOSTER in files:
            self._log_booster(run.info.run_id, record.directory)
        self._client.set_terminated(run.info.run_id, "FINISHED")
        return str(run.info.run_id)

    @persistent
    def record(
        self,
        run: str,
        *,
        metrics: Mapping[str, float] | None = None,
        parameters: Mapping[str, Scalar] | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        """Add figures, parameters and tags to a run; later tags (report hash, decision, reviewers) come in here too.

        Raises:
            LedgerError: the store cannot be read or written.
        """
        self._batch(self._client.get_run(run), params=parameters or {}, metrics=metrics or {}, tags=tags or {})

    @persistent
    def attach(self, run: str, files: Mapping[str, Path]) -> None:
        """Keep files or directories as artifacts of a run.

        Args:
            run: id of the run.
            files: artifact folder to local file or directory; an empty folder name is the root.

        Raises:
            LedgerError: the store cannot be written.
        """
        for folder, path in files.items():
            log = self._client.log_artifacts if path.is_dir() else self._client.log_artifact
            log(run, str(path), folder or None)

    @persistent
    def finish(self, run: str, status: Status = "FINISHED") -> None:
        """Close a run.

        Raises:
            LedgerError: the store cannot be written.
        """
        self._client.set_terminated(run, status)

    @persistent
    def find(self, project: str, number: int, stage: str) -> str | None:
        """The parent run of an iteration, or None.

        Raises:
            LedgerError: the store cannot be read.
        """
        experiment = self._client.get_experiment_by_name(project)
        if experiment is None:
            return None
        run = self._find(experiment.experiment_id, {ITERATION: f"{project}/{number}/{stage}"})
        return None if run is None else str(run.info.run_id)

    @persistent
    def register(self, project: str, run: str, alias: Alias, tags: Mapping[str, str] | None = None) -> str:
        """Register a candidate's model under the project's name and point an alias at it.

        A run is registered once; asking again moves the alias only.

        Returns:
            The version.

        Raises:
            ModelError: the run logged no candidate.
            LedgerError: the store cannot be read or written.
        """
        logged = self._client.get_run(run).data.tags
        if FILES not in logged:
            remedy = "log the candidate first, and register its child run"
            raise ModelError("There is no model to register", [Finding(f"run {run}", "no candidate", remedy)])
        self._registered_model(project)
        number = self._version_of(project, run)
        if number is None:
            noted, model = {FILES: logged[FILES], **(tags or {})}, logged.get(MODEL)
            source = f"models:/{model}" if model else f"runs:/{run}/{FOLDER}"
            number = str(self._client.create_model_version(project, source, run, tags=noted, model_id=model).version)
        self._client.set_registered_model_alias(project, alias, number)
        return number

    @persistent
    def point(self, project: str, alias: Alias, version: str) -> None:
        """Point an alias at a version: a release, or a rollback to an earlier one.

        Raises:
            LedgerError: there is no such version, or the store cannot be written.
        """
        self._client.get_model_version(project, version)
        self._client.set_registered_model_alias(project, alias, version)

    @persistent
    def describe(self, project: str, version: str, tags: Mapping[str, str]) -> None:
        """Tag a version of the project's model: who approved it, on what evidence.

        Raises:
            LedgerError: there is no such version, or the store cannot be written.
        """
        for name, value in tags.items():
            self._client.set_model_version_tag(project, version, name, value)

    @persistent
    def retire(self, project: str, alias: Alias) -> None:
        """Take an alias away: nothing is released under it any more. Does nothing where it points nowhere.

        Raises:
            LedgerError: the store cannot be written.
        """
        try:
            self._client.delete_registered_model_alias(project, alias)
        except MlflowException as exc:
            if exc.error_code not in _ABSENT:
                raise

    @persistent
    def released(self, project: str, alias: Alias = "champion") -> Release:
        """The model an alias points at, its files unchanged since it was registered.

        Raises:
            ModelError: nothing is released under the alias, or the files were changed since.
        """
        try:
            found = self._client.get_model_version_by_alias(project, alias)
        except MlflowException as exc:
            if exc.error_code not in _ABSENT:
                raise
            what = f"no model is released as {alias}"
            remedy = "run the charter and have a decision released first, or name another alias"
            raise ModelError("There is no such model", [Finding(f"project {project}", what, remedy)]) from exc
        root = self._client.get_run(str(found.run_id)).info.artifact_uri
        directory = self._files(str(found.run_id), str(root), found.tags[FILES])
        if not _unchanged(directory, found.tags[FILES]):
            remedy = "restore the files or release the model again; it must not be used as it is"
            what = f"version {found.version} differs from what was registered"
            raise ModelError("The released model was changed", [Finding(f"{root}/{FOLDER}", what, remedy)])
        return Release(str(found.version), str(found.run_id), directory)

    def _files(self, run: str, root: str, wanted: str) -> Path:
        """A candidate's directory: where it lies, or fetched from afar unless it was fetched whole before."""
        parts = urlparse(root)
        if parts.scheme in {"", "file"}:
            return Path(url2pathname(parts.path)) / FOLDER
        place = self.store.fetched / run
        if _unchanged(place, wanted):
            return place
        place.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=place.parent) as fresh:
            self._client.download_artifacts(run, FOLDER, fresh)
            shutil.rmtree(place, ignore_errors=True)
            # Renamed into place, so that a reader meets a whole directory or none.
            (Path(fresh) / FOLDER).rename(place)
        return place

    def _experiment(self, project: str) -> str:
        found = self._client.get_experiment_by_name(project)
        if found is not None:
            return str(found.experiment_id)
        location = self.store.experiment_artifacts(project)
        return str(self._client.create_experiment(project, artifact_location=location))

    def _find(self, experiment: str, tags: Mapping[str, str]) -> Run | None:
        wanted = " and ".join(f"tags.`{name}` = '{value}'" for name, value in tags.items())
        runs = self._client.search_runs([experiment], wanted, max_results=1, order_by=["attributes.start_time ASC"])
        return runs[0] if runs else None

    def _batch(
        self,
        run: Run,
        *,
        params: Mapping[str, Scalar] | None = None,
        metrics: Mapping[str, float] | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        """In as few calls as MLflow allows; the run's own start as time stamp makes repeating harmless."""
        finite = {name: float(value) for name, value in (metrics or {}).items() if math.isfinite(value)}
        stamped = [Metric(name, value, run.info.start_time, 0) for name, value in finite.items()]
        named = [Param(name, str(value)) for name, value in (params or {}).items()]
        tagged = [RunTag(name, value) for name, value in (tags or {}).items()]
        for start in range(0, max(len(stamped), len(named), len(tagged)), _BATCH):
            part = slice(start, start + _BATCH)
            self._client.log_batch(run.info.run_id, stamped[part], named[part], tagged[part])

    def _log_booster(self, run: str, directory: Path) -> None:
        """Log the booster in MLflow's native LightGBM flavor and note the logged model's id on the run."""
        booster = read_booster(directory / BOOSTER)
        names = booster.feature_name()
        inputs = Schema([ColSpec(DataType.double, name) for name in names])
        mlflow.set_tracking_uri(self.uri)
        # MLflow warns about type hints of its own modules as it loads them here.
        with mlflow.start_run(run_id=run), _unsearched(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            info = mlflow.lightgbm.log_model(
                booster,
                name="model",
                signature=ModelSignature(inputs=inputs, outputs=Schema([ColSpec(DataType.double)])),
                pip_requirements=[f"{name}=={installed(name)}" for name in ("mlflow", "lightgbm", "numpy", "pandas")],
            )
            # Noted before the run is marked as finished: a kill in between must not leave a run without its model.
            self._client.set_tag(run, MODEL, info.model_id)

    def _registered_model(self, project: str) -> None:
        try:
            self._client.get_registered_model(project)
        except MlflowException as exc:
            if exc.error_code not in _ABSENT:
                raise
            self._client.create_registered_model(project)

    def _version_of(self, project: str, run: str) -> str | None:
        found = self._client.search_model_versions(f"name = '{project}' and run_id = '{run}'", max_results=1)
        return str(found[0].version) if found else None


@contextmanager
def _unsearched() -> Iterator[None]:
    """MLflow does not look up every file of every installed package, which takes a second in each process.

    It would, to warn of requirements that are not installed; ours are read from what is. In a version that keeps
    its finds elsewhere nothing is spared.
    """
    spared = getattr(requirements_utils, "_MODULES_TO_PACKAGES", ...) is None
    if spared:
        requirements_utils._MODULES_TO_PACKAGES = {}  # type: ignore[assignment]  # noqa: SLF001
    try:
        yield
    finally:
        if spared:
            requirements_utils._MODULES_TO_PACKAGES = None  # noqa: SLF001


def _dataset(record: IterationRecord) -> DatasetInput:
    source = record.dataset
    described = Dataset(
        name=source.name,
        digest=source.digest[:_DIGEST],
        source_type="local",
        source=json.dumps({"uri": source.location}),
        profile=json.dumps({"rows": dict(source.rows)}),
    )
    return DatasetInput(described, [InputTag("mlflow.data.context", "training and replay")])


def _unchanged(directory: Path, wanted: str) -> bool:
    try:
        return digest(directory) == wanted
    except ModelError:
        return False
