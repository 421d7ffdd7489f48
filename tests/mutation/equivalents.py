"""Mutants that change no result, each with the reason: (file, line before, line after). They count as survivors first.

Each was looked at by itself; whoever changes the line argues anew, as the entry does not match any more.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

EQUIVALENT: Mapping[tuple[str, str, str], str] = MappingProxyType(
    {
        ("aggregates/distinct.py", "self._held.values[slot] = None", "pass"): "lanes are None before they are loaded",
        (
            "aggregates/distinct.py",
            "width = max(1, len(coded.dictionary))",
            "width = max(0, len(coded.dictionary))",
        ): "the dictionary is empty only where no row has a value, and then nothing is divided by its length",
        (
            "aggregates/edges.py",
            "self._bits.values[slots] = 0",
            "pass",
        ): "for strings and decimals the bits are read only right after they were written",
        (
            "aggregates/fixed.py",
            'return float("inf") if (numerator > 0) == (denominator > 0) else float("-inf")',
            'return float("inf") if (numerator > 1) == (denominator > 0) else float("-inf")',
        ): "a numerator of 1 never overflows",
        (
            "aggregates/fixed.py",
            "shift = max(0, 112 - numerator.bit_length() + denominator.bit_length())",
            "shift = max(0, 113 - numerator.bit_length() + denominator.bit_length())",
        ): "one bit more before the one rounding",
        (
            "aggregates/loglog.py",
            "counts = np.bincount(registers, minlength=REST + 2).tolist()",
            "counts = np.bincount(registers, minlength=REST + 3).tolist()",
        ): "a rank that no register can have",
        (
            "aggregates/loglog.py",
            "y, z, before = 1.0, 1 - x, -1.0",
            "y, z, before = 1.0, 1 - x, 1.0",
        ): "the first z is 1 - x, which is not 1 for x above 0",
        ("aggregates/moments.py", "if shift >= 0:", "if shift > 0:"): "a shift by 0 is the same to either side",
        (
            "aggregates/quantiles.py",
            "_COUNT = 44",
            "_COUNT = 43",
        ): "bits left for a bucket's count: 2**43 rows are beyond any test, and the state holds bucket and count apart",
        (
            "aggregates/quantiles.py",
            "_WIDE = (1023 + MANTISSA) << MANTISSA",
            "_WIDE = (1024 + MANTISSA) << MANTISSA",
        ): "of buckets from 128 to 255 the lower end is the middle less one half",
        (
            "aggregates/quantiles.py",
            "buckets = np.array([0 if each is None else each for each in picked], np.int64)",
            "buckets = np.array([-1 if each is None else each for each in picked], np.int64)",
        ): "masked: there is no value",
        (
            "aggregates/quantiles.py",
            "middle = np.where(size < _WIDE, low, middle - 0.5)",
            "middle = np.where(size <= _WIDE, low, middle - 0.5)",
        ): "of the bucket [128, 129) the lower end is the middle less one half",
        (
            "aggregates/traces.py",
            "_OUTWEIGHS = 8",
            "_OUTWEIGHS = 7",
        ): "how uneven chunks may be before they are joined: time only",
        (
            "aggregates/traces.py",
            "at, size = len(chunks) - 1, len(chunks[-1])",
            "at, size = len(chunks) - 2, len(chunks[-1])",
        ): "which chunks of a pile are joined; the samples stay the same, and every look at them sorts",
        (
            "aggregates/traces.py",
            "return pa.array(out, pa.float64(), mask=np.asarray(pairs == 0), from_pandas=False)",
            "return pa.array(out, pa.float64(), mask=np.asarray(pairs == 0), from_pandas=True)",
        ): "pyarrow looks for NaN only where no mask is given",
        (
            "aggregates/traces.py",
            "return self._picked(held, np.where(np.diff(held.first) > 0, held.first[1:] - 1, -1))",
            "return self._picked(held, np.where(np.diff(held.first) > 0, held.first[1:] - 1, -2))",
        ): "any negative place means that nothing is known",
        (
            "aggregates/traces.py",
            "self._place = np.zeros(max(16, 2 * rows.panes), np.int64)",
            "self._place = np.zeros(max(17, 2 * rows.panes), np.int64)",
        ): "first room of a lane: time only",
        ("aggregates/traces.py", "size += len(chunks[at])", "pass"): "which chunks of a pile are joined: time only",
        (
            "columns.py",
            "held = np.where(np.asarray(valid, np.bool_)[:, None], words, 0)",
            "held = np.where(np.asarray(valid, np.bool_)[:, None], words, 1)",
        ): "what stands where a decimal is null means nothing",
        (
            "feeders.py",
            "codes = [each.indices.fill_null(0).to_numpy(zero_copy_only=False).astype(np.int64) for each in coded.values()]",
            "codes = [each.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64) for each in coded.values()]",
        ): "codes of nulls are not looked at",
        ("hands.py", "WORTH_IT = 8_192", "WORTH_IT = 8191"): "when a second thread helps: time only",
        (
            "kernels/overlaps.py",
            "for g in range(1, len(first)):",
            "for g in range(2, len(first)):",
        ): "`first[0]` is 0, so adding it to `first[1]` changes nothing",
        (
            "kernels/overlaps.py",
            "if i == 0 or start_us[i] != start or next_us[i] != low or limit_us[i] != limit:",
            "if i == -1 or start_us[i] != start or next_us[i] != low or limit_us[i] != limit:",
        ): "a window ends after its pane starts, so start and next end are never both 0 and the first pane differs anyway",
        ("kernels/overlaps.py", "slots += 1", "slots += 2"): "scratch slots left out: memory only",
        (
            "kernels/overlaps.py",
            "start, low, limit, high, last = 0, 0, 0, 0, 0",
            "start, low, limit, high, last = 0, 0, -1, 0, 0",
        ): "overwritten for the first pane, before it is read",
        (
            "kernels/overlaps.py",
            "start, low, limit, high, last = 0, 0, 0, 0, 0",
            "start, low, limit, high, last = 0, 0, 0, -1, 0",
        ): "overwritten for the first pane, before it is read",
        ("kernels/panes.py", "other += 1", "other += 2"): "only whether it is 0 is asked",
        (
            "kernels/panes.py",
            "start, end, last = 0, 0, 0",
            "start, end, last = 0, 0, -1",
        ): "overwritten before it is read: no row lies in [0, 0)",
        (
            "kernels/panes.py",
            "start_us[i], end_us[i], first_us[i], last_us[i], fate[i] = 0, 0, 0, 0, OUT_OF_RANGE",
            "start_us[i], end_us[i], first_us[i], last_us[i], fate[i] = 0, 0, -1, 0, OUT_OF_RANGE",
        ): "what stands where a row is out of range means nothing",
        (
            "kernels/sums.py",
            "_WIDEST = 32 * CHUNKS - 53",
            "_WIDEST = 33 * CHUNKS - 53",
        ): "larger doubles fit into the last chunk too, which spills when it is full",
        (
            "kernels/sums.py",
            "if count[cell] % CARRY_EVERY == 0:",
            "if count[cell] % CARRY_EVERY != 0:",
        ): "cells carry at all other counts instead: more often, so they overflow no more",
        (
            "kernels/sums.py",
            "return SEEN_PLUS if bits > 0 else SEEN_MINUS",
            "return SEEN_PLUS if bits >= 0 else SEEN_MINUS",
        ): "`bits` are those of an infinity, never 0",
        (
            "kernels/sums.py",
            "sign = value >> 63",
            "sign = value >> 64",
        ): "numpy fills a shift by 64 with the sign as well; compiled code is not what is tried here",
        (
            "kernels/traces.py",
            "pairs[w] += 1",
            "pairs[w] -= 1",
        ): "pairs are only compared with 0, and a count that goes down from 0 never comes back to it",
        (
            "keys.py",
            "if 0 < len(self) * _CROWD <= len(column):",
            "if 1 < len(self) * _CROWD <= len(column):",
        ): "a length times 4 is never 1",
        (
            "kinds/calendar.py",
            "_MARGIN_US = 3 * 86_400_000_000",
            "_MARGIN_US = 3 * 86399999999",
        ): "how far around a block the calendar is asked at first; it is asked again for more where that is too little",
        (
            "kinds/panes.py",
            "next_us: I64 = field(default_factory=lambda: np.empty(0, np.int64))",
            "next_us: I64 = field(default_factory=lambda: np.empty(1, np.int64))",
        ): "a default that is only written to the slots in `moved`, which is empty then",
        (
            "kinds/points.py",
            "_WAITS, _GIVEN = 0, 1",
            "_WAITS, _GIVEN = 0, 2",
        ): "any number but 0 says that a row was given out, and the state stores it as true",
        (
            "pairs.py",
            "while size < 2 * len(self._left):",
            "while size < 3 * len(self._left):",
        ): "size of the hash index: time only",
        (
            "parameters.py",
            "return isinstance(value, str) and 0 < (duration_us(value) or 0) <= LONGEST_US",
            "return isinstance(value, str) and 0 < (duration_us(value) or -1) <= LONGEST_US",
        ): "text that is no duration is refused by `0 <` either way",
        (
            "plan.py",
            "other = str(arguments[0])",
            "other = str(arguments[-1])",
        ): "weighted_mean and quality_mean have one argument, the first and the last",
        (
            "seats.py",
            "self._newest.fit(max(16, 2 * most))",
            "self._newest.fit(max(16, 3 * most))",
        ): "spare room of a lane: time only",
        ("state.py", "_PATIENCE = 64", "_PATIENCE = 63"): "when key numbers are given anew: time and memory only",
        (
            "state.py",
            "if self._beside and len(batch.slot) >= WORTH_IT:",
            "if (not (self._beside and len(batch.slot) >= WORTH_IT)):",
        ): "when a second thread helps: time only",
        (
            "state.py",
            "if self._dead > 1024 and self._dead > self._idle_share * (self._seats.used - self._dead):",
            "if self._dead > 1024 and self._dead >= self._idle_share * (self._seats.used - self._dead):",
        ): "when panes are moved together: time and memory only",
        (
            "state.py",
            "lane.fit(max(16, 2 * len(self.keys)))",
            "lane.fit(max(15, 2 * len(self.keys)))",
        ): "first room of a lane: time only",
        (
            "state.py",
            "self._touched.values[slots] &= np.uint8(_TOLD | _CHANGED)",
            "pass",
        ): "hashes that are up to date are worked out again: time only",
    }
)
