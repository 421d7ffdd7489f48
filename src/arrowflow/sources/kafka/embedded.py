"""stub"""

from dataclasses import dataclass


@dataclass(frozen=True)
class EmbeddedSpec:
    data_dir: str
    sample: object = None

    def start(self, topics): ...


class EmbeddedBroker:
    bootstrap = ""

    def stop(self): ...
