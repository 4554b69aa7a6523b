from typing import Any

class LazyString:
    def __init__(self, func: Any, *args: Any, **kwargs: Any) -> None: ...
