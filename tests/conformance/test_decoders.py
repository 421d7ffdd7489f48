"""Every decoder keeps the laws of the protocol."""

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
