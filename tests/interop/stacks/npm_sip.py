"""sip, of npm: transactions and digest, without dialogs: those are our program's."""

from interop.stack import ALL, STACKS, Stack, Talkative

STACK = Stack(
    "sip",
    "npm",
    "sip@0.0.6",
    lambda place: Talkative(
        place, ["node", str(STACKS / "npm_sip.js")], {"NODE_PATH": str(place.packages / "node_modules")}
    ),
    ALL,
    ["node", "npm"],
    note=(
        "Has no dialogs: ACK and Route are the program's own. It answers the first challenge, "
        "whatever its algorithm, with MD5."
    ),
)
