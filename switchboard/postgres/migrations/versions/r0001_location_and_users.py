"""Registrations, and users with what proves their passwords."""

from alembic import op

revision = "0001"
down_revision = None

LOCATION = """
CREATE TABLE location_state (
    alone boolean PRIMARY KEY DEFAULT true CHECK (alone),
    last bigint NOT NULL,
    room bytea
);
INSERT INTO location_state (last) VALUES (0);
CREATE TABLE location_marks (version bigint PRIMARY KEY);
CREATE TABLE location_users (
    name bytea PRIMARY KEY,
    version bigint NOT NULL CHECK (version > 0 AND version < 10000000000000000),
    ends_at timestamptz NOT NULL,
    writer text NOT NULL,
    record bytea NOT NULL
);
CREATE INDEX location_users_by_end ON location_users (ends_at);
CREATE INDEX location_users_by_version ON location_users (version);
ALTER TABLE location_state ALTER COLUMN room SET STORAGE EXTERNAL;
"""

PUT = """
CREATE FUNCTION location_put(
    by_writer text, names bytea[], versions bigint[], lefts double precision[], records bytea[]
) RETURNS TABLE (name bytea, is_done boolean, version bigint, record bytea) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    base bigint;
BEGIN
    INSERT INTO location_state (last) VALUES (0) ON CONFLICT DO NOTHING;
    SELECT greatest(s.last, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint) INTO base
        FROM location_state s FOR UPDATE;
    RETURN QUERY
    WITH asked AS (
        SELECT a.name, a.known, a.left_s, a.record, a.place, u.version, u.ends_at, u.record AS found
        FROM unnest(names, versions, lefts, records) WITH ORDINALITY AS a (name, known, left_s, record, place)
        LEFT JOIN location_users u ON u.name = a.name
    ), done AS (
        INSERT INTO location_users AS u (name, version, ends_at, writer, record)
        SELECT a.name, base + a.place,
            greatest(a.ends_at, clock_timestamp() + make_interval(secs => greatest(a.left_s, 0))), by_writer, a.record
        FROM asked a WHERE coalesce(a.version, 0) = a.known
        ON CONFLICT (name) DO UPDATE SET
            version = excluded.version, ends_at = excluded.ends_at, writer = excluded.writer, record = excluded.record
        RETURNING u.name, u.version
    ), marked AS (
        INSERT INTO location_marks SELECT base + cardinality(names) WHERE EXISTS (SELECT FROM done)
    ), told AS (
        UPDATE location_state SET last = base + cardinality(names) WHERE EXISTS (SELECT FROM done)
    )
    SELECT a.name, d.version IS NOT NULL, coalesce(d.version, a.version, 0),
        CASE WHEN d.version IS NULL THEN coalesce(a.found, '') END
    FROM asked a LEFT JOIN done d ON d.name = a.name ORDER BY a.place;
END $$
"""

USERS = """
CREATE TABLE users_state (
    alone boolean PRIMARY KEY DEFAULT true CHECK (alone),
    series text NOT NULL,
    number bigint NOT NULL
);
CREATE TABLE users_marks (number bigint PRIMARY KEY);
CREATE TABLE users (
    "user" text PRIMARY KEY,
    number bigint NOT NULL UNIQUE,
    realm text NOT NULL,
    sha256 text NOT NULL,
    md5 text NOT NULL,
    changed_at double precision NOT NULL
);
"""


def upgrade() -> None:
    """`location_put` is the only writer of bindings (registrar/postgres_location.py)."""
    for each in (LOCATION, PUT, USERS):
        op.execute(each)
