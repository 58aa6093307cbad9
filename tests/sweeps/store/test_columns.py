"""A record's field that has no column, or a column that nothing fills, is refused at import."""

import subprocess
import sys
from dataclasses import dataclass

import pytest

from analysis.store.schema import EVENTS, PREDICTIONS
from sweeps.store.columns import check_fields, check_filled


@dataclass(frozen=True)
class Happening:
    kind: str
    epoch: int
    details: str


def test_a_field_without_a_column_is_named_with_its_table() -> None:
    with pytest.raises(TypeError, match=r"Happening\.details has no column in the table events"):
        check_fields(Happening, EVENTS)
    check_fields(Happening, EVENTS, besides=("details",))


@pytest.mark.parametrize(
    ("besides", "message"),
    [
        (("details", "kind"), r"Happening\.kind is named in `besides` and has a column of events"),
        (("details", "kinds"), r"Happening\.kinds is named in `besides` and is no field"),
    ],
)
def test_an_exception_that_is_none_is_refused(besides: tuple[str, ...], message: str) -> None:
    with pytest.raises(TypeError, match=message):
        check_fields(Happening, EVENTS, besides=besides)


def test_a_column_without_a_source_is_named_with_its_table() -> None:
    check_filled(PREDICTIONS, ("sweep", "run_id"), ("correct_bits",))
    with pytest.raises(TypeError, match="nothing fills the column correct_bits of the table pred"):
        check_filled(PREDICTIONS, ("sweep", "run_id"))
    with pytest.raises(TypeError, match="predictions has no column bits, which a row has"):
        check_filled(PREDICTIONS, ("sweep", "run_id"), ("correct_bits", "bits"))


CHANGES = {
    "renamed(records, 'EpochRecord', 'val_loss')": "EpochRecord.new_name has no column",
    "renamed(records, 'RunRecord', 'parameters')": "RunRecord.new_name has no column",
    "renamed(records, 'Snapshot', 'c_x')": "Snapshot.new_name has no column",
    "renamed(records, 'Event', 'detail')": "Event.new_name has no column",
    "renamed(config, 'Recipe', 'learning_rate')": "nothing fills the column learning_rate",
}
IMPORTING = """
import dataclasses, os, sys, trainers
from trainers import config, records

def renamed(module, record, name):
    fields = [field.name for field in dataclasses.fields(getattr(module, record))]
    names = ["new_name" if field == name else field for field in fields]
    setattr(trainers, record, dataclasses.make_dataclass(record, names))

for change in sys.argv[1:]:
    if os.fork() == 0:  # each change in an import of its own
        try:
            eval(change)
            import sweeps.store.recorder
        except TypeError as error:
            print(f"{change}: {error}", flush=True)
        os._exit(0)
    os.wait()
"""


@pytest.fixture(scope="module")
def refused() -> str:
    command = [sys.executable, "-c", IMPORTING, *CHANGES]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize(("change", "message"), CHANGES.items())
def test_a_renamed_field_stops_the_import(change: str, message: str, refused: str) -> None:
    assert f"{change}: {message}" in refused
