"""Pure row-wise steps between decoding and windows: keep rows, derive columns, choose columns."""

from arrowflow.transforms.derive import Derive
from arrowflow.transforms.filter import Filter
from arrowflow.transforms.probe import check_rowwise
from arrowflow.transforms.select import Select

__all__ = ["Derive", "Filter", "Select", "check_rowwise"]
