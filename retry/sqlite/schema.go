package sqlite

import (
	"context"
	"database/sql"
	"fmt"
)

// migrations are applied in order, each in one transaction; PRAGMA
// user_version is how many have been. A released one is never edited.
var migrations = [...]string{schema1, schema2, schema3, schema4, schema5}

// Accounting lives in triggers so that every process that writes (the owner,
// and the operator's commands beside it) keeps the same account. The hot path
// pays for two of them only: a message's insert and its delete.
const schema1 = `
CREATE TABLE meta (k TEXT PRIMARY KEY, v BLOB NOT NULL) WITHOUT ROWID;

CREATE TABLE usage (
	one INTEGER PRIMARY KEY CHECK (one = 1),
	bytes INTEGER NOT NULL, messages INTEGER NOT NULL,
	dead_bytes INTEGER NOT NULL, dead_messages INTEGER NOT NULL
);
INSERT INTO usage VALUES (1, 0, 0, 0, 0);

CREATE TABLE message (
	n INTEGER PRIMARY KEY,
	id TEXT NOT NULL UNIQUE,
	key TEXT NOT NULL,
	received_ms INTEGER NOT NULL,
	expires_ms INTEGER NOT NULL,
	sender TEXT NOT NULL,
	subject TEXT NOT NULL,
	size INTEGER NOT NULL,
	sha256 BLOB NOT NULL,
	file TEXT,                      -- the body's file; NULL: in table body
	envelope BLOB NOT NULL,         -- JSON
	retain_ms INTEGER NOT NULL,     -- kept so long after each acknowledgement
	keep_ms INTEGER NOT NULL,       -- kept till then though nothing waits
	live INTEGER NOT NULL,          -- deliveries due or leased
	dead INTEGER NOT NULL,          -- dead letters
	sum INTEGER NOT NULL            -- CRC-32C of what a delivery depends on
);
CREATE INDEX message_kept ON message (keep_ms) WHERE live = 0 AND dead = 0;

-- Bodies stand apart so that a message's counters change without rewriting it.
CREATE TABLE body (
	message INTEGER PRIMARY KEY REFERENCES message (n) ON DELETE CASCADE,
	bytes BLOB NOT NULL
);

CREATE TABLE delivery (
	n INTEGER PRIMARY KEY,
	id TEXT NOT NULL UNIQUE,
	message INTEGER NOT NULL REFERENCES message (n),
	endpoint TEXT NOT NULL,
	recipients TEXT NOT NULL,       -- JSON array
	state INTEGER NOT NULL,         -- 0 due, 1 leased, 2 dead
	leased_from INTEGER NOT NULL,   -- the state to fall back to
	due_ms INTEGER NOT NULL,
	expires_ms INTEGER NOT NULL,
	attempts INTEGER NOT NULL,
	base INTEGER NOT NULL,          -- attempts when it was last replayed
	lease_until_ms INTEGER NOT NULL,
	token INTEGER NOT NULL,
	reason TEXT NOT NULL,
	last_status INTEGER NOT NULL,
	last_error TEXT NOT NULL,
	sum INTEGER NOT NULL
);
CREATE INDEX delivery_due ON delivery (endpoint, state, due_ms);
CREATE INDEX delivery_message ON delivery (message);
CREATE INDEX delivery_lease ON delivery (lease_until_ms) WHERE state = 1;
CREATE INDEX delivery_expiry ON delivery (expires_ms) WHERE state < 2;
CREATE INDEX delivery_dead ON delivery (reason) WHERE state = 2;

CREATE TABLE attempt (
	delivery INTEGER NOT NULL REFERENCES delivery (n) ON DELETE CASCADE,
	n INTEGER NOT NULL,
	at_ms INTEGER NOT NULL,
	status INTEGER NOT NULL,
	took_ns INTEGER NOT NULL,
	reason TEXT NOT NULL,
	error TEXT NOT NULL,
	PRIMARY KEY (delivery, n)
) WITHOUT ROWID;

CREATE TABLE endpoint (
	name TEXT PRIMARY KEY,
	paused INTEGER NOT NULL DEFAULT 0,
	until_ms INTEGER NOT NULL DEFAULT 0,
	why TEXT NOT NULL DEFAULT '',
	breaker BLOB
) WITHOUT ROWID;

CREATE TABLE taken (
	key TEXT NOT NULL,
	id TEXT NOT NULL,
	expires_ms INTEGER NOT NULL,
	PRIMARY KEY (key, id)
) WITHOUT ROWID;
CREATE INDEX taken_expiry ON taken (expires_ms);

CREATE TRIGGER message_in AFTER INSERT ON message BEGIN
	UPDATE usage SET bytes = bytes + NEW.size, messages = messages + 1;
	UPDATE usage SET dead_bytes = dead_bytes + NEW.size, dead_messages = dead_messages + 1
		WHERE NEW.live = 0 AND NEW.dead > 0;
END;
CREATE TRIGGER message_out AFTER DELETE ON message BEGIN
	UPDATE usage SET bytes = bytes - OLD.size, messages = messages - 1;
	UPDATE usage SET dead_bytes = dead_bytes - OLD.size, dead_messages = dead_messages - 1
		WHERE OLD.live = 0 AND OLD.dead > 0;
END;
CREATE TRIGGER message_died AFTER UPDATE OF live, dead ON message
WHEN (NEW.live = 0 AND NEW.dead > 0) AND NOT (OLD.live = 0 AND OLD.dead > 0) BEGIN
	UPDATE usage SET dead_bytes = dead_bytes + NEW.size, dead_messages = dead_messages + 1;
END;
CREATE TRIGGER message_revived AFTER UPDATE OF live, dead ON message
WHEN (OLD.live = 0 AND OLD.dead > 0) AND NOT (NEW.live = 0 AND NEW.dead > 0) BEGIN
	UPDATE usage SET dead_bytes = dead_bytes - OLD.size, dead_messages = dead_messages - 1;
END;
CREATE TRIGGER delivery_moved AFTER UPDATE OF state ON delivery
WHEN (OLD.state = 2) <> (NEW.state = 2) BEGIN
	UPDATE message SET live = live + CASE NEW.state WHEN 2 THEN -1 ELSE 1 END,
		dead = dead + CASE NEW.state WHEN 2 THEN 1 ELSE -1 END WHERE n = NEW.message;
END;
CREATE TRIGGER delivery_out AFTER DELETE ON delivery BEGIN
	UPDATE message SET live = live - (OLD.state <> 2), dead = dead - (OLD.state = 2) WHERE n = OLD.message;
END;
`

// schema2 drops what nothing ever set.
const schema2 = `ALTER TABLE message DROP COLUMN retain_ms`

// schema3 counts resumes, so that whoever has the breaker hears of each.
const schema3 = `ALTER TABLE endpoint ADD COLUMN resumes INTEGER NOT NULL DEFAULT 0`

// schema4 names the body files that go: one that a crash left behind is told
// from one whose message is missing.
const schema4 = `CREATE TABLE dropped (file TEXT PRIMARY KEY) WITHOUT ROWID`

// schema5 finds the messages whose bodies are objects: file is then object:name.
const schema5 = `CREATE INDEX message_object ON message (file) WHERE file >= 'object:'`

// migrate brings the schema up to date, or refuses one from the future. An
// operator's command leaves that to the owner, which may be running.
func migrate(ctx context.Context, c *sql.Conn, admin bool) error {
	var have int
	if err := c.QueryRowContext(ctx, "PRAGMA user_version").Scan(&have); err != nil {
		return fmt.Errorf("reading the schema's version: %w", err)
	}
	if have > len(migrations) {
		return fmt.Errorf("%w: it has version %d and this program knows %d: run the version that wrote it, or a newer one", ErrNewerSchema, have, len(migrations))
	}
	if admin && have < len(migrations) {
		return fmt.Errorf("the queue's schema has version %d and this program wants %d: start the gateway with this version first", have, len(migrations))
	}
	for v := have; v < len(migrations); v++ {
		script := fmt.Sprintf("BEGIN IMMEDIATE; %s; PRAGMA user_version = %d; COMMIT", migrations[v], v+1)
		if _, err := c.ExecContext(ctx, script); err != nil {
			_, _ = c.ExecContext(ctx, "ROLLBACK")
			return fmt.Errorf("migrating the schema to version %d: %w", v+1, err)
		}
	}
	return nil
}
