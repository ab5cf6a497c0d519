"""What an auditor reads from MLflow: the heads its runs were tagged with, and a run with its children as values."""

from typing import Any

from pipeline.ledger.anchors import Anchor
from pipeline.models.faults import persistent
from pipeline.models.records import LEDGER_HEAD, LEDGER_SEQ
from pipeline.models.tracking import ALIASES, Alias, Tracking


class AuditView(Tracking):
    """The tracking store, to be read by auditors."""

    @persistent
    def anchors(self) -> tuple[Anchor, ...]:
        """The ledger's heads that runs were tagged with.

        Raises:
            LedgerError: the store cannot be read.
        """
        found = []
        for run in self._all_runs(f"tags.`{LEDGER_SEQ}` != ''"):
            seq, head = run.data.tags[LEDGER_SEQ], run.data.tags.get(LEDGER_HEAD, "")
            if seq.isdecimal():
                found.append(Anchor(int(seq), head, f"MLflow, {run.info.run_name}"))
        return tuple(found)

    @persistent
    def tags(self) -> dict[str, dict[str, str]]:
        """The tags of every run, by the run's id.

        Raises:
            LedgerError: the store cannot be read.
        """
        return {run.info.run_id: dict(run.data.tags) for run in self._all_runs("")}

    @persistent
    def exported(self, run: str) -> dict[str, Any]:
        """A run, its inputs and its child runs as JSON values.

        Raises:
            LedgerError: there is no such run, or the store cannot be read.
        """
        parent = self._client.get_run(run)
        children = self._client.search_runs(
            [parent.info.experiment_id], f"tags.`mlflow.parentRunId` = '{run}'", order_by=["attributes.start_time ASC"]
        )
        return {**parent.to_dictionary(), "children": [child.to_dictionary() for child in children]}

    @persistent
    def aliases(self, project: str) -> tuple[Alias, ...]:
        """The aliases of a project's registered model.

        Raises:
            LedgerError: the store cannot be read.
        """
        found = self._client.search_registered_models(f"name = '{project}'")
        return tuple(alias for alias in ALIASES if found and alias in found[0].aliases)

    def _all_runs(self, wanted: str) -> list[Any]:
        experiments = [one.experiment_id for one in self._client.search_experiments()]
        found: list[Any] = []
        token: str | None = None
        while experiments:
            page = self._client.search_runs(experiments, wanted, page_token=token)
            found += page
            token = page.token
            if not token:
                break
        return found
