"""Records of calls, how much of which file has been shipped, rates, and views for billing (docs/JOURNAL.md)."""

from alembic import op

revision = "0002"
down_revision = "0001"

CALLS = """
CREATE TABLE calls (
    id uuid PRIMARY KEY,
    switchboard text NOT NULL,
    call_id text NOT NULL,
    caller text NOT NULL,
    callee text NOT NULL,
    started_at timestamptz NOT NULL,
    ringing_at timestamptz,
    answered_at timestamptz,
    ended_at timestamptz NOT NULL,
    duration_s numeric(12, 3) NOT NULL,
    outcome text NOT NULL,
    status integer NOT NULL,
    ended_by text NOT NULL,
    more jsonb,
    shipped_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX calls_by_start ON calls (started_at);
CREATE TABLE shipped_files (
    switchboard text,
    file text,
    place bigint NOT NULL,
    seen text NOT NULL,
    is_finished boolean NOT NULL,
    shipped_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (switchboard, file)
);
"""

RATES = """
CREATE TABLE rates (
    prefix text PRIMARY KEY,
    name text NOT NULL DEFAULT '',
    per_minute numeric(12, 6) NOT NULL,
    per_call numeric(12, 6) NOT NULL DEFAULT 0,
    step_s integer NOT NULL DEFAULT 60 CHECK (step_s > 0)
);
"""

VIEWS = """
CREATE FUNCTION address_of(uri text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT regexp_replace(regexp_replace(uri, '^(sips?|tel):|[;?>].*$', '', 'gi'), ':[0-9]+$', '')
$$;
CREATE FUNCTION user_of(uri text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT split_part(regexp_replace(uri, '^(sips?|tel):|[;?>].*$', '', 'gi'), '@', 1)
$$;
CREATE VIEW calls_of_users AS
    SELECT address_of(caller) AS "user", 'placed' AS side, * FROM calls
    UNION ALL
    SELECT address_of(callee), 'received', * FROM calls;
"""

BY = """
CREATE VIEW calls_by_user_and_{unit} AS
    SELECT "user", date_trunc('{unit}', started_at)::date AS {unit},
        count(*) FILTER (WHERE side = 'placed') AS placed,
        count(*) FILTER (WHERE side = 'placed' AND outcome = 'answered') AS placed_answered,
        count(*) FILTER (WHERE side = 'received') AS received,
        count(*) FILTER (WHERE side = 'received' AND outcome = 'answered') AS received_answered,
        count(*) FILTER (WHERE side = 'received' AND outcome <> 'answered') AS missed,
        coalesce(sum(duration_s) FILTER (WHERE side = 'placed'), 0) AS placed_s,
        coalesce(sum(duration_s) FILTER (WHERE side = 'received'), 0) AS received_s
    FROM calls_of_users GROUP BY 1, 2;
"""

PRICED = """
CREATE VIEW priced_calls AS
    SELECT c.id, c.switchboard, address_of(c.caller) AS "user", c.callee, c.started_at, c.duration_s,
        r.prefix, r.name AS rate,
        round(r.per_call + r.per_minute * ceil(c.duration_s / r.step_s) * r.step_s / 60, 4) AS price
    FROM calls c LEFT JOIN LATERAL (
        SELECT * FROM rates WHERE starts_with(user_of(c.callee), prefix) ORDER BY length(prefix) DESC LIMIT 1
    ) r ON true
    WHERE c.outcome = 'answered';
"""


def upgrade() -> None:
    """`calls` and `shipped_files` are written by the journal (journal/postgres_ledger.py), `rates` by operators."""
    for each in (CALLS, RATES, VIEWS, BY.format(unit="day"), BY.format(unit="month"), PRICED):
        op.execute(each)
