"""Which modules stay where they are: names, one or several, of modules that there are."""

from __future__ import annotations

import pytest

from na64mu.alignment.parameters import FreeParameters, fixed_modules
from na64mu.detector import load_detector
from na64mu.errors import CalibrationError
from na64mu.tracking.spectrometer import spectrometer

DETECTOR = load_detector("na64mu-2022")


def test_one_name_is_one_module():
    assert fixed_modules("mm1", DETECTOR) == fixed_modules(["mm1"], DETECTOR) == ("mm1",)
    ms1 = spectrometer(DETECTOR, 1)
    free, one = (FreeParameters.of(ms1, "na64mu-2022", fixed, 1.0, 1e-3) for fixed in ((), "mm1"))
    assert [name for name in free.names if name not in one.names] == ["mm1 dx", "mm1 dy", "mm1 drotation"]


@pytest.mark.parametrize("wrong", ["mm", "mm99", ["mm1", "x"], [1]])
def test_a_module_that_is_not_there_is_refused(wrong):
    with pytest.raises(CalibrationError, match=r"^there is no module '\w+' to fix: detector 'na64mu-2022' has bms1, "):
        FreeParameters.of(spectrometer(DETECTOR, 1), DETECTOR, wrong, 1.0, 1e-3)
