"""rfcvoip: a descendant of pyVoIP."""

from interop.pyvoip_family import run
from interop.stack import AGAIN, CALLS, IS_CALLED, IS_WRITTEN_TO, REGISTERS, Stack, python_phone

STACK = Stack(
    "rfcvoip",
    "PyPI",
    "rfcvoip==2.10.3",
    lambda place: python_phone(place, "rfcvoip"),
    (REGISTERS, AGAIN, *CALLS, *IS_CALLED, IS_WRITTEN_TO),
    note=(
        "A descendant of pyVoIP that answers 407. Its ACK and BYE go straight to the other "
        "phone, past every proxy: the journal does not see such a call end, and behind NAT the "
        "other phone does not hear it."
    ),
)


def main() -> None:
    """Its own sound is silence."""
    import rfcvoip
    from rfcvoip import VoIP

    run(rfcvoip, VoIP)


if __name__ == "__main__":
    main()
