package postgres

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

// schema4 has the triggers run once a statement instead of once a row, and
// cleans up by them instead of by foreign keys, which lock a message's row for
// each of its parts: programs write many messages at once. A delivery leaves
// the index of what is due while it is leased. A body may be an object of a store of
// bodies, which message.body names; dropped names those whose message is gone.
const schema4 = `
ALTER TABLE postern.message ADD COLUMN body text;
CREATE INDEX message_body ON postern.message (body) WHERE body IS NOT NULL;
CREATE TABLE postern.dropped (name text PRIMARY KEY);

ALTER TABLE postern.chunk DROP CONSTRAINT chunk_message_fkey, SET (toast_tuple_target = 8160,
	autovacuum_vacuum_scale_factor = 0.05, toast.autovacuum_vacuum_scale_factor = 0.05);
ALTER TABLE postern.attempt DROP CONSTRAINT attempt_delivery_fkey;
ALTER TABLE postern.delivery DROP CONSTRAINT delivery_message_fkey;

CREATE INDEX delivery_next ON postern.delivery (endpoint, due_ms, n) WHERE state = 0;
DROP INDEX postern.delivery_due;

DROP TRIGGER message_books ON postern.message;
DROP FUNCTION postern.on_message();
CREATE FUNCTION postern.message_in() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	PERFORM postern.book(s.b, s.m, s.db, s.dm) FROM (SELECT sum(size)::bigint b, count(*) m,
		coalesce(sum(size) FILTER (WHERE live = 0 AND dead > 0), 0)::bigint db, count(*) FILTER (WHERE live = 0 AND dead > 0) dm FROM fresh) s WHERE s.m > 0;
	RETURN NULL;
END $$;
CREATE FUNCTION postern.message_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	PERFORM postern.book(0, 0, s.db, s.dm) FROM (SELECT sum(size * c)::bigint db, sum(c) dm
		FROM (SELECT f.size, (f.live = 0 AND f.dead > 0)::int - (o.live = 0 AND o.dead > 0)::int c FROM stale o JOIN fresh f USING (n)) x WHERE c <> 0) s WHERE s.dm IS NOT NULL;
	RETURN NULL;
END $$;
CREATE FUNCTION postern.message_out() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	PERFORM postern.book(-s.b, -s.m, -s.db, -s.dm) FROM (SELECT sum(size)::bigint b, count(*) m,
		coalesce(sum(size) FILTER (WHERE live = 0 AND dead > 0), 0)::bigint db, count(*) FILTER (WHERE live = 0 AND dead > 0) dm FROM stale) s WHERE s.m > 0;
	DELETE FROM postern.chunk c USING stale o WHERE c.message = o.n;
	INSERT INTO postern.dropped (name) SELECT body FROM stale WHERE body IS NOT NULL ON CONFLICT DO NOTHING;
	RETURN NULL;
END $$;
CREATE TRIGGER message_in AFTER INSERT ON postern.message REFERENCING NEW TABLE AS fresh
	FOR EACH STATEMENT EXECUTE FUNCTION postern.message_in();
CREATE TRIGGER message_changed AFTER UPDATE ON postern.message REFERENCING OLD TABLE AS stale NEW TABLE AS fresh
	FOR EACH STATEMENT EXECUTE FUNCTION postern.message_changed();
CREATE TRIGGER message_out AFTER DELETE ON postern.message REFERENCING OLD TABLE AS stale
	FOR EACH STATEMENT EXECUTE FUNCTION postern.message_out();

DROP TRIGGER delivery_counts ON postern.delivery;
DROP FUNCTION postern.on_delivery();
CREATE FUNCTION postern.delivery_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	UPDATE postern.message m SET live = m.live - c.died, dead = m.dead + c.died
		FROM (SELECT f.message, sum((f.state = 2)::int - (o.state = 2)::int) died FROM stale o JOIN fresh f USING (n)
			WHERE (o.state = 2) <> (f.state = 2) GROUP BY f.message ORDER BY f.message) c WHERE m.n = c.message;
	RETURN NULL;
END $$;
CREATE FUNCTION postern.delivery_out() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	UPDATE postern.message m SET live = m.live - c.live, dead = m.dead - c.dead
		FROM (SELECT message, count(*) FILTER (WHERE state <> 2) live, count(*) FILTER (WHERE state = 2) dead FROM stale GROUP BY message ORDER BY message) c WHERE m.n = c.message;
	DELETE FROM postern.attempt a USING stale o WHERE a.delivery = o.n;
	RETURN NULL;
END $$;
CREATE TRIGGER delivery_changed AFTER UPDATE ON postern.delivery REFERENCING OLD TABLE AS stale NEW TABLE AS fresh
	FOR EACH STATEMENT EXECUTE FUNCTION postern.delivery_changed();
CREATE TRIGGER delivery_out AFTER DELETE ON postern.delivery REFERENCING OLD TABLE AS stale
	FOR EACH STATEMENT EXECUTE FUNCTION postern.delivery_out();
`

// schema5 finds an endpoint's deliveries by their end without looking through
// the others', and has the triggers look each row up: the server keeps their
// plans, and may have made them while the tables were small.
const schema5 = `
CREATE INDEX delivery_ends ON postern.delivery (endpoint, expires_ms) WHERE state < 2;
DROP INDEX postern.delivery_expiry;
ALTER FUNCTION postern.message_out() SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off;
ALTER FUNCTION postern.delivery_out() SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off;
`
