"""Why a request is not passed on."""

__all__ = ["Refusal"]


class Refusal(Exception):
    """A request is answered with an HTTP status and a sentence."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status
