package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// ErrNewerSchema is returned when a newer program wrote the database.
var ErrNewerSchema = errors.New("postgres: the queue's schema is newer than this program")

// migrationLock keeps replicas that start at once from migrating twice.
const migrationLock = 0x706f737465726e // "postern"

// migrations are applied in order, each in one transaction; a released one is
// never edited.
var migrations = [...]string{schema1, schema2, schema3}

// usageSlots spread the account over rows, so that commits don't wait for one
// another; a transaction writes its own backend's row only.
const schema1 = `
CREATE TABLE postern.meta (k text PRIMARY KEY, v bytea NOT NULL);

CREATE TABLE postern.usage (
	slot int PRIMARY KEY,
	bytes bigint NOT NULL DEFAULT 0, messages bigint NOT NULL DEFAULT 0,
	dead_bytes bigint NOT NULL DEFAULT 0, dead_messages bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 50);
INSERT INTO postern.usage (slot) SELECT generate_series(0, 63);

CREATE TABLE postern.message (
	n bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	id text NOT NULL UNIQUE,
	key text NOT NULL,
	received_ms bigint NOT NULL,
	expires_ms bigint NOT NULL,
	sender text NOT NULL,
	subject text NOT NULL,
	size bigint NOT NULL,
	sha256 bytea NOT NULL,
	envelope bytea NOT NULL,
	retain_ms bigint NOT NULL,
	keep_ms bigint NOT NULL,
	live int NOT NULL,
	dead int NOT NULL,
	sum bigint NOT NULL
) WITH (fillfactor = 80);
CREATE INDEX message_kept ON postern.message (keep_ms) WHERE live = 0 AND dead = 0;

-- Bodies in pieces of 256 KiB, so that nobody holds a whole one in memory.
CREATE TABLE postern.chunk (
	message bigint NOT NULL REFERENCES postern.message (n) ON DELETE CASCADE,
	i int NOT NULL,
	bytes bytea NOT NULL,
	PRIMARY KEY (message, i)
);
ALTER TABLE postern.chunk ALTER COLUMN bytes SET STORAGE EXTERNAL;

CREATE TABLE postern.delivery (
	n bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	id text NOT NULL UNIQUE,
	message bigint NOT NULL REFERENCES postern.message (n),
	endpoint text NOT NULL,
	recipients text NOT NULL,
	state smallint NOT NULL,
	leased_from smallint NOT NULL,
	due_ms bigint NOT NULL,
	expires_ms bigint NOT NULL,
	attempts int NOT NULL,
	base int NOT NULL,
	lease_until_ms bigint NOT NULL,
	token bigint NOT NULL,
	reason text NOT NULL,
	last_status int NOT NULL,
	last_error text NOT NULL,
	sum bigint NOT NULL
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);
CREATE INDEX delivery_due ON postern.delivery (endpoint, state, due_ms);
CREATE INDEX delivery_message ON postern.delivery (message);
CREATE INDEX delivery_lease ON postern.delivery (lease_until_ms) WHERE state = 1;
CREATE INDEX delivery_expiry ON postern.delivery (expires_ms) WHERE state < 2;
CREATE INDEX delivery_dead ON postern.delivery (reason) WHERE state = 2;

CREATE TABLE postern.attempt (
	delivery bigint NOT NULL REFERENCES postern.delivery (n) ON DELETE CASCADE,
	n int NOT NULL,
	at_ms bigint NOT NULL,
	status int NOT NULL,
	took_ns bigint NOT NULL,
	reason text NOT NULL,
	error text NOT NULL,
	PRIMARY KEY (delivery, n)
);

CREATE TABLE postern.endpoint (
	name text PRIMARY KEY,
	paused boolean NOT NULL DEFAULT false,
	until_ms bigint NOT NULL DEFAULT 0,
	why text NOT NULL DEFAULT '',
	breaker bytea
);

CREATE TABLE postern.taken (
	key text NOT NULL,
	id text NOT NULL,
	expires_ms bigint NOT NULL,
	PRIMARY KEY (key, id)
);
CREATE INDEX taken_expiry ON postern.taken (expires_ms);

CREATE FUNCTION postern.book(b bigint, m bigint, db bigint, dm bigint) RETURNS void LANGUAGE sql AS $$
	UPDATE postern.usage SET bytes = bytes + b, messages = messages + m, dead_bytes = dead_bytes + db, dead_messages = dead_messages + dm
	WHERE slot = pg_backend_pid() % 64;
$$;
CREATE FUNCTION postern.on_message() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE was boolean := false; is_now boolean := false;
BEGIN
	IF TG_OP <> 'INSERT' THEN was := OLD.live = 0 AND OLD.dead > 0; END IF;
	IF TG_OP <> 'DELETE' THEN is_now := NEW.live = 0 AND NEW.dead > 0; END IF;
	IF TG_OP = 'INSERT' THEN
		PERFORM postern.book(NEW.size, 1, is_now::int * NEW.size, is_now::int);
	ELSIF TG_OP = 'DELETE' THEN
		PERFORM postern.book(-OLD.size, -1, -(was::int) * OLD.size, -(was::int));
	ELSIF was <> is_now THEN
		PERFORM postern.book(0, 0, (is_now::int - was::int) * NEW.size, is_now::int - was::int);
	END IF;
	RETURN NULL;
END $$;
CREATE TRIGGER message_books AFTER INSERT OR DELETE OR UPDATE OF live, dead ON postern.message
	FOR EACH ROW EXECUTE FUNCTION postern.on_message();

CREATE FUNCTION postern.on_delivery() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF TG_OP = 'DELETE' THEN
		UPDATE postern.message SET live = live - (OLD.state <> 2)::int, dead = dead - (OLD.state = 2)::int WHERE n = OLD.message;
	ELSIF (OLD.state = 2) <> (NEW.state = 2) THEN
		UPDATE postern.message SET live = live + (NEW.state <> 2)::int - (OLD.state <> 2)::int,
			dead = dead + (NEW.state = 2)::int - (OLD.state = 2)::int WHERE n = NEW.message;
	END IF;
	RETURN NULL;
END $$;
CREATE TRIGGER delivery_counts AFTER DELETE OR UPDATE OF state ON postern.delivery
	FOR EACH ROW EXECUTE FUNCTION postern.on_delivery();
`

// schema2 drops what nothing ever set.
const schema2 = `ALTER TABLE postern.message DROP COLUMN retain_ms`

// schema3 counts resumes, so that whoever has the breaker hears of each.
const schema3 = `ALTER TABLE postern.endpoint ADD COLUMN resumes bigint NOT NULL DEFAULT 0`

// migrate brings the schema up to date, one replica at a time, or refuses one
// from the future.
func (q *Queue) migrate(ctx context.Context) error {
	return q.tx(ctx, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock($1)", int64(migrationLock)); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, "CREATE SCHEMA IF NOT EXISTS postern; CREATE TABLE IF NOT EXISTS postern.version (v int NOT NULL)"); err != nil {
			return fmt.Errorf("creating the schema postern: grant CREATE on the database to this user: %w", err)
		}
		var have int
		if err := tx.QueryRow(ctx, "SELECT coalesce(max(v), 0) FROM postern.version").Scan(&have); err != nil {
			return err
		}
		if have > len(migrations) {
			return fmt.Errorf("%w: it has version %d and this program knows %d: run the version that wrote it, or a newer one", ErrNewerSchema, have, len(migrations))
		}
		for v := have; v < len(migrations); v++ {
			if _, err := tx.Exec(ctx, migrations[v]); err != nil {
				return fmt.Errorf("migrating the schema to version %d: %w", v+1, err)
			}
			if _, err := tx.Exec(ctx, "INSERT INTO postern.version (v) VALUES ($1)", v+1); err != nil {
				return err
			}
		}
		return nil
	})
}
