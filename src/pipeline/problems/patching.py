"""A feedback item's patch, judged by the charter's problem too."""

from collections.abc import Mapping
from typing import Any

from pipeline.charter import Charter, apply_patch
from pipeline.charter.advice import dotted
from pipeline.charter.patching import refused
from pipeline.errors import Finding


def apply_patch_for_problem(charter: Charter, patch: Mapping[str, Any]) -> Charter:
    """The charter with a patch applied, refused where its problem finds something wrong that was not wrong before.

    Raises:
        CharterError: as :func:`pipeline.charter.apply_patch` does, and for what the problem finds; all at once.
    """
    # Loaded with the first patch: a process that only reads or signs starts without the problems' libraries.
    from pipeline.problems.registry import advise_problem

    changed = apply_patch(charter, patch)
    before, values = advise_problem(charter), changed.canonical()
    findings = [
        Finding(f"patch {dotted(one.path, values)}", one.found, one.remedy)
        for one in advise_problem(changed)
        if one not in before
    ]
    if findings:
        raise refused(findings)
    return changed
