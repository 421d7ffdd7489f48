"""Every input that the fuzzers kept, read again: by the compiled kernels here, by their plain twins under NUMBA_DISABLE_JIT=1."""

import pytest
from tests.fuzz import avro_records, json_records
from tests.fuzz.fuzzer import inputs


@pytest.mark.parametrize("target", [json_records, avro_records], ids=["json", "avro"])
def test_both_readers_agree_on_every_input_of_the_corpus(target):
    name = target.__name__.rpartition(".")[2].removesuffix("_records")
    corpus = inputs(name)

    for data in corpus:
        target.check(data)

    assert len(corpus) >= 40
