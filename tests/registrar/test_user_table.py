"""The table of users, in both languages."""

from collections.abc import Sequence

import pytest
from compiled import needs_compiled_core
from hypothesis import given, settings
from hypothesis import strategies as st

from switchboard.codec import CodecError, pack
from switchboard.registrar.binding import Binding
from switchboard.registrar.user_table import (
    LOOKS_A_NAME,
    MOST_UNBOUND,
    UserTable,
    UserTableInPython,
    bindings_in,
    pack_record,
    pack_records,
    pack_users,
)

A, B = Binding("sip:a@h", 1.0, 100.0), Binding("sip:b@h", 0.5, 200.0, path=("<sip:p;lr>",))
TWINS = pytest.mark.parametrize("twin", [UserTable, UserTableInPython])

NAMES = ["lukas", "eva", "ž\0", "\udcff", "x" * 300]
names = st.sampled_from(NAMES)
bindings = st.lists(
    st.builds(
        Binding,
        st.text(max_size=40),
        st.floats(0, 1),
        st.floats(0, 500) | st.integers(0, 500),
        path=st.lists(st.text(max_size=9), max_size=20).map(tuple),
        cseq=st.integers(0, 2**31 - 1),
        flow=st.just(b"") | st.binary(max_size=40),
    ),
    max_size=17,
)
changes = st.lists(st.dictionaries(names, bindings, max_size=3), max_size=8)


def all_expired(table: UserTable | UserTableInPython, now_at: float, at_most: int = 100) -> list[str]:
    """What a whole round of slices finds."""
    found, more = table.expired(now_at, at_most)
    while more:
        names, more = table.expired(now_at, at_most)
        found += names
    return found


def all_of(table: UserTable | UserTableInPython, at_most: int) -> list[str]:
    """The names, some at a time."""
    found, at = table.some(0, at_most)
    while at:
        names, at = table.some(at, at_most)
        found += names
    return found


def seen(table: UserTable | UserTableInPython, now_at: float) -> tuple[object, ...]:
    users = sorted(table.users())
    return (
        [(user, table.get(user), table.row(user)) for user in users],
        sorted(all_expired(table, now_at)),
        sorted(all_of(table, 1)),
        (len(table), table.octets, table.bindings),
    )


@needs_compiled_core
@settings(max_examples=40)
@given(changes, st.floats(0, 500))
def test_twins_hold_the_same(changes: Sequence[dict[str, list[Binding]]], now_at: float) -> None:
    tables = UserTable(), UserTableInPython()
    for row, users in enumerate(changes):
        records = b"head" + pack_users(users)
        for table in tables:
            assert table.take(records, 4, row) == list(users)
        one, other = (seen(table, now_at) for table in tables)
        assert one == other
        assert [*map(tables[0].was_bound, NAMES)] == [*map(tables[1].was_bound, NAMES)]


@TWINS
def test_a_user_without_bindings_goes_and_is_remembered(twin: type[UserTable]) -> None:
    table = twin()
    assert table.take(pack_users({"lukas": [A, B], "eva": [A]}), row=7) == ["lukas", "eva"]
    octets = table.octets
    assert table.take(pack_users({"eva": [], "gone": []}), row=8) == ["eva", "gone"]
    assert ("eva" in table, "nobody" in table, len(table)) == (False, False, 1)
    assert [table.was_bound(user) for user in ("eva", "gone", "lukas", "nobody")] == [
        True,
        True,
        False,
        False,
    ]
    assert (bindings_in(table.get("lukas")), table.get("eva"), table.row("eva")) == ([A, B], None, -1)
    assert table.bindings == 2
    assert table.octets < octets


@TWINS
def test_who_was_bound_is_forgotten_after_many_others(twin: type[UserTable]) -> None:
    table = twin()
    for start in range(0, 2 * MOST_UNBOUND, 1000):
        table.take(pack_users({str(number): [] for number in range(start, start + 1000)}))
    table.take(pack_users({"last": []}))
    assert (table.was_bound("0"), table.was_bound(str(MOST_UNBOUND)), table.was_bound("last")) == (
        False,
        True,
        True,
    )


@TWINS
def test_undo_brings_back_who_had_bindings(twin: type[UserTable]) -> None:
    table = twin()
    table.take(pack_users({"lukas": [A], "eva": [B]}), row=1)
    before = table.octets, table.bindings, len(table)
    table.begin()
    table.take(pack_users({"lukas": [], "nobody": [], "eva": [A, B]}), row=2)
    table.take(pack_users({"lukas": [B], "new": [A]}), row=2)
    table.undo()
    assert (table.octets, table.bindings, len(table)) == before
    assert (bindings_in(table.get("lukas")), table.row("lukas"), table.get("nobody")) == ([A], 1, None)
    assert bindings_in(table.get("eva")) == [B]


@TWINS
def test_who_has_a_binding_that_is_over(twin: type[UserTable]) -> None:
    table = twin()
    table.take(pack_users({"lukas": [B, A], "eva": [B]}))
    assert all_expired(table, 99.0) == []
    assert all_expired(table, 100.0) == ["lukas"]
    assert sorted(all_expired(table, 200.0)) == ["eva", "lukas"]
    table.take(pack_users({"lukas": [B], "eva": []}))
    assert (all_expired(table, 150.0), all_expired(table, 200.0)) == ([], ["lukas"])


@TWINS
def test_who_has_expired_is_found_in_slices_while_others_are_set(twin: type[UserTable]) -> None:
    table = twin()
    table.take(pack_users({str(number): [A if number % 2 else B] for number in range(3000)}))
    found: list[str] = []
    more, slices, last = True, 0, 3000
    while more:
        names, more = table.expired(150.0, 10)
        assert len(names) < 40
        found += names
        table.take(pack_users({name: [] for name in names} | {str(last + place): [B] for place in range(3)}))
        slices, last = slices + 1, last + 3
    assert slices > 40
    assert sorted(found) == sorted(str(number) for number in range(1, 3000, 2))
    assert all_expired(table, 150.0) == []
    assert table.expired(150.0, 10) == ([], False)
    assert len(all_expired(table, 200.0)) == last - 1500


@TWINS
def test_a_slice_that_finds_nobody_is_bounded_too(twin: type[UserTable]) -> None:
    table = twin()
    table.take(pack_users({str(number): [B] for number in range(5000)} | {"first": [A]}))
    slices = 1
    while table.expired(100.0, 10)[1]:
        slices += 1
    assert slices >= 5000 / LOOKS_A_NAME / 10


@TWINS
def test_all_are_walked_over_while_others_are_set(twin: type[UserTable]) -> None:
    table = twin()
    table.take(pack_users({str(number): [A] for number in range(900)}))
    found, at = table.some(0, 10)
    last = 1000
    while at:
        names, at = table.some(at, 10)
        assert len(names) < 40
        found += names
        table.take(pack_users({str(last + place): [A] for place in range(3)}))
        last += 3
    assert {*map(str, range(900))} <= {*found}


@TWINS
@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"\x91",
        pack([["lukas"]]),
        pack([["lukas", [1]]]),
        pack([[b"lukas", []]]),
        pack({}),
        pack([]) + b"x",
    ],
)
def test_what_is_no_list_of_records_is_refused(twin: type[UserTable], octets: bytes) -> None:
    with pytest.raises(CodecError):
        twin().take(octets)


@TWINS
def test_many_users(twin: type[UserTable]) -> None:
    table = twin()
    table.take(pack_users({str(number): [A] for number in range(5000)}))
    assert sorted(map(int, table.users())) == list(range(5000))
    assert all(bindings_in(table.get(str(number))) == [A] for number in range(5000))


@TWINS
def test_what_is_in_force_of_a_row(twin: type[UserTable]) -> None:
    table = twin()
    table.take(row := pack_users({"lukas": [A], "eva": [B], "gone": []}), row=1)
    table.take(pack_users({"eva": [A]}), row=2)
    assert table.in_force(row, 1) == [pack_record("lukas", [A])]
    assert table.in_force(row, 3) == []


@TWINS
def test_of_two_records_of_a_user_the_last_is_in_force(twin: type[UserTable]) -> None:
    table = twin()
    row = pack_records([pack_record("lukas", each) for each in ([A], [B])])
    assert table.take(row, row=1) == ["lukas", "lukas"]
    assert table.in_force(row, 1) == [pack_record("lukas", [B])]


@TWINS
def test_undone_is_as_before(twin: type[UserTable]) -> None:
    table = twin()
    table.take(pack_users({"lukas": [A], "eva": [A, B]}), row=1)
    before = seen(table, 150.0)
    table.begin()
    table.take(pack_users({"lukas": [B, A], "new": [A]}), row=2)
    table.take(pack_users({"lukas": [], "new": []}), row=3)
    table.undo()
    assert seen(table, 150.0) == before
    table.undo()
    assert seen(table, 150.0) == before


@TWINS
def test_kept_is_not_undone(twin: type[UserTable]) -> None:
    table = twin()
    table.begin()
    table.take(pack_users({"lukas": [A]}), row=2)
    table.keep()
    table.undo()
    assert bindings_in(table.get("lukas")) == [A]
