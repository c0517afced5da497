"""pyVoIP: a phone in pure Python, of which there are several descendants."""

from interop.pyvoip_family import run
from interop.stack import AGAIN, CALLS, IS_CALLED, IS_WRITTEN_TO, REGISTERS, Stack, python_phone

STACK = Stack(
    "pyVoIP",
    "PyPI",
    "pyVoIP==1.6.8",
    lambda place: python_phone(place, "pyvoip"),
    (REGISTERS, AGAIN, *CALLS, *IS_CALLED, IS_WRITTEN_TO),
    note=(
        "Takes 401 only: the 407 that a proxy answers an INVITE with leaves it waiting for "
        "ever, and deaf. With passwords: name its address in `trusted`, or take rfcvoip. Its "
        "BYE has no Route, and says To with another host than the INVITE had."
    ),
)


def main() -> None:
    """Its own sound is silence."""
    import pyVoIP
    from pyVoIP import VoIP

    run(pyVoIP, VoIP)


if __name__ == "__main__":
    main()
