from array import array
from typing import Any

def know(facts: dict[str, Any], raw: bytes, row: array[int]) -> None: ...
