"""What MLflow and what it stands on raise, told apart: faults of the store, passing or lasting, and everything else."""

import functools
import re
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Concatenate, ParamSpec, Protocol, TypeVar

from requests.exceptions import ConnectionError as NotConnected
from requests.exceptions import HTTPError, RequestException, RetryError, SSLError, Timeout
from sqlalchemy.exc import SQLAlchemyError

from pipeline import addresses
from pipeline.errors import LedgerError

_BUSY = "free the store (another process may hold it), check its rights and space, and run again"
_SIGN_IN = "correct MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, and see that this user may do it"
_S3 = (
    "check bucket, credentials (AWS_SHARED_CREDENTIALS_FILE or a role of the machine) and MLFLOW_S3_ENDPOINT_URL, "
    "and run again"
)
_SERVER = "check that the MLflow server runs, and that the URL is its own; then run again"
#: A twin process that made the same thing first is no fault either: it is found at the next try.
_PASSING_CODES = frozenset({"TEMPORARILY_UNAVAILABLE", "RESOURCE_ALREADY_EXISTS"})
_DENIED = frozenset({"UNAUTHENTICATED", "PERMISSION_DENIED", "CUSTOMER_UNAUTHORIZED"})
#: How MLflow says that a name or place does not exist; `requests` words it inside a ConnectionError.
_NO_NAME = re.compile(r"NameResolutionError|Name or service not known|nodename nor servname")


@dataclass(frozen=True)
class Fault:
    """A fault of the store.

    Attributes:
        found: what it said, in one line.
        remedy: what to do.
        passing: whether it may be gone at the next try.
    """

    found: str
    remedy: str
    passing: bool


def fault(exc: Exception) -> Fault | None:
    """What an exception says about the store; None for our own errors and for what is no fault of the store."""
    line = " ".join(str(exc).split("\n")[0].split()) or type(exc).__name__
    # The reason within requests' long sentence about its pool.
    found = line.partition("(Caused by ")[2].rstrip(")") or line
    if _of_boto(exc):
        # It has tried several times by itself.
        return Fault(found, _S3, passing=False)
    if type(exc).__module__.startswith("mlflow."):
        code = str(getattr(exc, "error_code", ""))
        if any(map(_of_boto, _causes(exc))):
            return Fault(found, _S3, passing=False)
        if code in _DENIED:
            return Fault(found, _SIGN_IN, passing=False)
        return Fault(found, _remedy(exc), passing=code in _PASSING_CODES or any(map(_passing, _causes(exc))))
    if isinstance(exc, OSError | SQLAlchemyError):
        return Fault(found, _remedy(exc), passing=_passing(exc))
    return None


def _remedy(exc: Exception) -> str:
    called = any(isinstance(cause, RequestException) for cause in _causes(exc)) or str(exc).startswith("API request")
    return _SERVER if called else _BUSY


def _causes(exc: BaseException) -> Iterator[BaseException]:
    """What led to an exception, nearest first: MLflow raises anew, often without ``from``."""
    seen: BaseException | None = exc
    while seen is not None:
        yield seen
        seen = seen.__cause__ or seen.__context__


def _passing(exc: BaseException) -> bool:
    if isinstance(exc, SSLError) or not isinstance(exc, RequestException):
        return False
    if isinstance(exc, HTTPError):
        return exc.response is not None and exc.response.status_code in addresses.PASSING_STATUS
    return isinstance(exc, NotConnected | Timeout | RetryError) and not _NO_NAME.search(str(exc))


def _of_boto(exc: BaseException) -> bool:
    """Whether S3's library raised it; nothing of it is imported where no artifact lies there."""
    known = [("botocore.exceptions", "BotoCoreError"), ("botocore.exceptions", "ClientError")]
    classes = [getattr(sys.modules[module], name) for module, name in known if module in sys.modules]
    if "boto3.exceptions" in sys.modules:
        classes.append(sys.modules["boto3.exceptions"].Boto3Error)
    return isinstance(exc, tuple(classes))


class Refusing(Protocol):
    """Whatever can word a fault of its own store."""

    def refused(self, met: Fault) -> LedgerError:
        """The error for a fault."""


P = ParamSpec("P")
S = TypeVar("S", bound=Refusing)
T = TypeVar("T")


def persistent(method: Callable[Concatenate[S, P], T]) -> Callable[Concatenate[S, P], T]:
    """Make the whole call again after a passing fault; a lasting one, or the last, becomes an error of ours.

    Only for a method that does no harm when it is made again after it was cut off anywhere.
    """

    @functools.wraps(method)
    def call(self: S, /, *args: P.args, **kwargs: P.kwargs) -> T:
        for wait in (*addresses.WAITS, None):
            try:
                return method(self, *args, **kwargs)
            except Exception as exc:
                met = fault(exc)
                if met is None:
                    raise
                if wait is None or not met.passing:
                    raise self.refused(met) from exc
            time.sleep(wait)
        raise AssertionError("the last try returns or raises")

    return call
