"""Kafka's record format in plain Python, slowly: what the kernels of `arrowflow.sources.kafka.wire` are compared with."""


def varint(data, at, stop):
    """Return (value, place behind), or (0, -1) where no number of at most ten bytes ends before `stop`."""
    raw = shift = 0
    for place in range(at, min(stop, at + 10)):
        raw |= (data[place] & 0x7F) << shift
        shift += 7
        if data[place] < 0x80:
            raw %= 2**64
            value = raw >> 1
            return (-1 - value if raw & 1 else value), place + 1
    return 0, -1


def walk(data, at, stop, count, last):
    """Return (status, place, rows), each row (offset delta, time delta, key, its size, value, its size, headers, their number, end)."""
    rows, before = [], -1
    for _ in range(count):
        began = at
        size, at = varint(data, at, stop)
        if at < 0:
            return "past end", began, rows
        if size < 6 or at + size > stop:
            return "bad length", began, rows
        end = at + size
        stamp, at = varint(data, at + 1, end)
        if at < 0:
            return "past end", began, rows
        delta, at = varint(data, at, end)
        if at < 0:
            return "past end", began, rows
        if not before < delta <= last:
            return "bad offset", began, rows
        before, row = delta, [delta, stamp]
        for _ in ("key", "value"):
            size, at = varint(data, at, end)
            if at < 0 or size < -1 or at + size > end:
                return "bad length", began, rows
            row += [at, size]
            at += max(size, 0)
        many, at = varint(data, at, end)
        if at < 0 or many < 0 or many * 2 > end - at or (many == 0 and at != end):
            return "bad headers", began, rows
        rows.append((*row, at, many, end))
        at = end
    return ("ok" if at == stop else "left over"), at, rows


def gather(data, places):
    """Return the byte strings at (start, size); None for a negative size."""
    return [None if size < 0 else bytes(data[start : start + size]) for start, size in places]


def headers(data, places):
    """Return the (name, value) pairs of records at (start, stop, number), or the index of the first that does not fit."""
    found = []
    for row, (at, stop, number) in enumerate(places):
        pairs = []
        for _ in range(number):
            pair = []
            for least in (0, -1):
                size, at = varint(data, at, stop)
                if at < 0 or size < least or at + size > stop:
                    return row
                pair.append(None if size < 0 else bytes(data[at : at + size]))
                at += max(size, 0)
            pairs.append(tuple(pair))
        if at != stop:
            return row
        found.append(pairs)
    return found
