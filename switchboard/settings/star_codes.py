"""The table `[star_codes]` of the settings (`switchboard.core.star_codes`)."""

from typing import Annotated, Final, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Code = Annotated[str, Field(pattern=r"^(\*[0-9*#]{1,6})?$")]


class StarCodeSettings(BaseModel):
    """What users dial; an empty code is none. The first four are followed by a number."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    always: Code = ""
    busy: Code = ""
    no_answer: Code = ""
    unregistered: Code = ""
    off: Code = ""
    always_off: Code = ""
    busy_off: Code = ""
    no_answer_off: Code = ""
    unregistered_off: Code = ""
    dnd_on: Code = ""
    dnd_off: Code = ""

    @model_validator(mode="after")
    def _check_twice(self) -> Self:
        codes = [code for _, code in self if code]
        if twice := sorted({code for code in codes if codes.count(code) > 1}):
            raise ValueError(f"{', '.join(twice)} means two things")
        return self

    @property
    def actions(self) -> dict[str, str]:
        """What each code does."""
        return {code: name for name, code in self if code}


KEYS: Final = tuple(StarCodeSettings.model_fields)
