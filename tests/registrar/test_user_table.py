"""The table of users, in both languages."""

from collections.abc import Sequence

import pytest
from compiled import needs_compiled_core
from hypothesis import given
from hypothesis import strategies as st

from switchboard.codec import CodecError, pack
from switchboard.registrar.binding import Binding
from switchboard.registrar.user_table import (
    UserTable,
    UserTableInPython,
    bindings_in,
    pack_record,
    pack_records,
    pack_users,
)

A, B = Binding("sip:a@h", 1.0, 100.0), Binding("sip:b@h", 0.5, 200.0, path=("<sip:p;lr>",))
TWINS = pytest.mark.parametrize("twin", [UserTable, UserTableInPython])

names = st.sampled_from(["lukas", "eva", "ž\0", "\udcff", "x" * 300])
bindings = st.lists(
    st.builds(
        Binding,
        st.text(max_size=40),
        st.floats(0, 1),
        st.floats(0, 500) | st.integers(0, 500),
        path=st.lists(st.text(max_size=9), max_size=20).map(tuple),
        cseq=st.integers(0, 2**31 - 1),
    ),
    max_size=17,
)
changes = st.lists(st.dictionaries(names, bindings, max_size=3), max_size=8)


def seen(table: UserTable | UserTableInPython, now_at: float) -> object:
    users = sorted(table.users())
    return (
        [(user, table.get(user), table.row(user)) for user in users],
        sorted(table.expired(now_at)),
        (len(table), table.octets, table.bound, table.bindings),
    )


@needs_compiled_core
@given(changes, st.floats(0, 500))
def test_twins_hold_the_same(changes: Sequence[dict[str, list[Binding]]], now_at: float) -> None:
    tables = UserTable(), UserTableInPython()
    for row, users in enumerate(changes):
        records = b"head" + pack_users(users)
        for table in tables:
            assert table.take(records, 4, row) == list(users)
        one, other = (seen(table, now_at) for table in tables)
        assert one == other


@TWINS
def test_a_user_without_bindings_is_known(twin: type[UserTable]) -> None:
    table = twin()
    assert table.take(pack_users({"lukas": [A, B], "eva": []}), row=7) == ["lukas", "eva"]
    assert ("eva" in table, "nobody" in table, len(table)) == (True, False, 2)
    assert (bindings_in(table.get("lukas")), bindings_in(table.get("eva"))) == ([A, B], [])
    assert (table.get("nobody"), table.row("nobody"), table.row("eva")) == (None, -1, 7)
    assert (table.bound, table.bindings) == (1, 2)


@TWINS
def test_who_has_a_binding_that_is_over(twin: type[UserTable]) -> None:
    table = twin()
    table.take(pack_users({"lukas": [B, A], "eva": [B]}))
    assert (table.expired(99.0), table.expired(100.0), sorted(table.expired(200.0))) == (
        [],
        ["lukas"],
        ["eva", "lukas"],
    )
    table.take(pack_users({"lukas": [B], "eva": []}))
    assert (table.expired(150.0), table.expired(200.0)) == ([], ["lukas"])


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
    assert table.in_force(row, 1) == [pack_record("lukas", [A]), pack_record("gone", [])]
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
