"""Every decoder keeps the laws of the protocol."""

import json

from arrowflow.decoders.avro.spec import AvroSpec
from arrowflow.decoders.json import Field, JsonSpec
from arrowflow.decoders.raw import RawSpec
from arrowflow.testing.conformance.decoders import DecoderConformance
from arrowflow.testing.decoders import LineDecoderSpec


class TestJson(DecoderConformance):
    def spec(self):
        return JsonSpec(
            (
                Field("text", "string", required=True),
                Field("count", "int32"),
                Field("at", "timestamp[iso, Europe/Berlin]"),
                Field("rest", "json", path="meta.rest"),
            )
        )

    def good(self):
        return [
            b'{"text":"a","count":1}',
            b'\xef\xbb\xbf{"text":"\\u00f1\\u0000","count":1.0,"at":"2026-03-29T01:59:59"}',
            b' {"meta":{"rest":[1, {"x":null}]},"text":""} ',
            b'{"text":"late","at":"2026-10-25T02:30:00.5","count":null}',
        ]

    def bad(self):
        return [
            b"",
            b"{",
            b"[]",
            b'{"text":1}',
            b'{"count":1}',
            b'{"text":"a"}{"text":"b"}',
            b'{"text":"\xff"}',
            b'{"text":"a","count":2147483648}',
            b'{"text":"a","at":"2026-03-29T02:30:00"}',
            b'{"text":"a","x":' + b"[" * 64 + b"]" * 64 + b"}",
            b"\x00\x00\x00\x00\x2afoo",
            b'{"text":"' + b"\x01\x02" * 200,
            b'{"text":"a","x":"' + b"y" * 1_048_577 + b'"}',
        ]


class TestRaw(DecoderConformance):
    def spec(self):
        return RawSpec()

    def good(self):
        return [b"", b"\x00\xff", b"{}"]

    def bad(self):
        return []


class TestLines(DecoderConformance):
    def spec(self):
        return LineDecoderSpec()

    def good(self):
        return [b"pump 61 -7", b"- 0 0", b"a -1 -", b"--- -9999999999 999999999999999999"]

    def bad(self):
        return [b"", b"pump 61", b"pump 61 7 ", b"pump  61 7", b"a 1.5 7", b"a 1 1_0", "ñ 1 1".encode(), b"a 1 1\n"]


READING = json.dumps(
    {
        "type": "record",
        "name": "Reading",
        "fields": [
            {"name": "text", "type": "string"},
            {"name": "count", "type": ["null", "int", "string"]},
            {"name": "at", "type": ["null", {"type": "long", "logicalType": "timestamp-micros"}]},
            {"name": "meta", "type": {"type": "record", "name": "Meta", "fields": [{"name": "rest", "type": {"type": "map", "values": "long"}}]}},
        ],
    }
)  # fmt: skip
READ = (
    Field("text", "string", required=True),
    Field("count", "int8"),
    Field("at", "timestamp[us]"),
    Field("rest", "json", path="meta.rest"),
)


class TestAvro(DecoderConformance):
    frame = b"\0\0\0\0\x07"

    def spec(self):
        return AvroSpec(READ, {7: READING}, unknown="dead_letter")

    def good(self):
        bodies = [
            b"\x02a\x00\x00\x00",
            b"\x00\x02\xfe\x01\x02\x00\x00",
            b"\x04\xc3\xb1\x02\x01\x00\x01\x06\x02b\x04\x00",
        ]
        return [self.frame + body for body in bodies]

    def bad(self):
        whole = [
            self.frame + b"\x02a\x00\x00\x00\x00",
            self.frame + b"\x02a\x04\x02\x31\x00\x00",
            self.frame + b"\x02\xff\x00\x00\x00",
        ]
        return [
            b"",
            b"\0\0\0",
            b"{}",
            *whole,
            b"\0\0\0\0\x08\x02a",
            self.good()[2][:-1],
            self.frame + b"\x02a\x02\xfe\x03\x00\x00",
        ]


class TestAvroWithTheKernelOnly(TestAvro):
    """The columns of one that the rules need not be asked for."""

    def spec(self):
        return AvroSpec(READ[:3], {7: READING}, unknown="dead_letter")


class TestBareAvro(TestAvro):
    frame = b""

    def spec(self):
        return AvroSpec(READ, READING)

    def bad(self):
        return [b"", *TestAvro.bad(self)[3:6], self.good()[2][:-1]]
