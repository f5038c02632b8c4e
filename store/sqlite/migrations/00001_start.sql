-- +goose Up

-- Times are nanoseconds since 1970 in UTC, 0 is no time; "at" of the counts is
-- in seconds. Documents are JSON.

CREATE TABLE meta (
	name  TEXT NOT NULL PRIMARY KEY,
	value TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE cursors (
	name   TEXT   NOT NULL PRIMARY KEY,
	seq    BIGINT NOT NULL,
	ledger BIGINT NOT NULL
) WITHOUT ROWID;

CREATE TABLE visitors (
	pipeline     TEXT   NOT NULL,
	anonymous_id TEXT   NOT NULL,
	user_id      TEXT   NOT NULL,
	last_seen    BIGINT NOT NULL,
	doc          TEXT   NOT NULL,
	PRIMARY KEY (pipeline, anonymous_id)
) WITHOUT ROWID;
CREATE INDEX visitors_last_seen ON visitors (last_seen);

CREATE TABLE visits (
	integration  TEXT   NOT NULL,
	anonymous_id TEXT   NOT NULL,
	at           BIGINT NOT NULL,
	doc          TEXT   NOT NULL,
	PRIMARY KEY (integration, anonymous_id)
) WITHOUT ROWID;
CREATE INDEX visits_at ON visits (at);

CREATE TABLE dead_letters (
	id           TEXT    NOT NULL PRIMARY KEY,
	pipeline     TEXT    NOT NULL,
	integration  TEXT    NOT NULL,
	message_id   TEXT    NOT NULL,
	event        TEXT    NOT NULL,
	event_key    TEXT    NOT NULL, -- the name folded, see event.FoldName
	anonymous_id TEXT    NOT NULL,
	user_id      TEXT    NOT NULL,
	reason       TEXT    NOT NULL,
	remedy       TEXT    NOT NULL,
	status       INTEGER NOT NULL,
	code         INTEGER NOT NULL,
	attempts     INTEGER NOT NULL,
	first_at     BIGINT  NOT NULL,
	last_at      BIGINT  NOT NULL,
	request      TEXT    NOT NULL,
	answer       TEXT    NOT NULL,
	seq          BIGINT  NOT NULL,
	idx          INTEGER NOT NULL,
	gen          INTEGER NOT NULL,
	item         BLOB    NOT NULL,
	UNIQUE (integration, seq, idx, gen)
);
CREATE INDEX dead_letters_last_at ON dead_letters (last_at, id);
CREATE INDEX dead_letters_integration ON dead_letters (integration, last_at, id);
CREATE INDEX dead_letters_reason ON dead_letters (reason, last_at, id);

-- Sums for good, and the same by minute and by hour for as long as charts go back.
CREATE TABLE totals (
	pipeline    TEXT   NOT NULL,
	integration TEXT   NOT NULL,
	outcome     TEXT   NOT NULL,
	n           BIGINT NOT NULL,
	took        BIGINT NOT NULL,
	PRIMARY KEY (pipeline, integration, outcome)
) WITHOUT ROWID;

CREATE TABLE counts (
	grain       INTEGER NOT NULL, -- seconds: 60 or 3600
	at          BIGINT  NOT NULL,
	pipeline    TEXT    NOT NULL,
	integration TEXT    NOT NULL,
	outcome     TEXT    NOT NULL,
	reason      TEXT    NOT NULL,
	n           BIGINT  NOT NULL,
	took        BIGINT  NOT NULL,
	PRIMARY KEY (grain, at, pipeline, integration, outcome, reason)
) WITHOUT ROWID;

CREATE TABLE latency (
	grain       INTEGER NOT NULL,
	at          BIGINT  NOT NULL,
	pipeline    TEXT    NOT NULL,
	integration TEXT    NOT NULL,
	bucket      INTEGER NOT NULL,
	n           BIGINT  NOT NULL,
	PRIMARY KEY (grain, at, pipeline, integration, bucket)
) WITHOUT ROWID;

-- The history of the debugger. id is the event's place in the journal.
CREATE TABLE trace_events (
	id           INTEGER NOT NULL PRIMARY KEY,
	message_id   TEXT    NOT NULL,
	pipeline     TEXT    NOT NULL,
	type         TEXT    NOT NULL,
	event        TEXT    NOT NULL,
	event_key    TEXT    NOT NULL,
	anonymous_id TEXT    NOT NULL,
	user_id      TEXT    NOT NULL,
	received_at  BIGINT  NOT NULL,
	arrived      INTEGER NOT NULL,
	outcome      TEXT    NOT NULL, -- the worst of its routes
	words        TEXT    NOT NULL, -- what text search finds, each word after a space
	bytes        BIGINT  NOT NULL  -- about what the event takes here and in the tables below
);
CREATE INDEX trace_events_received ON trace_events (received_at);
CREATE INDEX trace_events_outcome ON trace_events (outcome, received_at);
CREATE INDEX trace_events_event ON trace_events (event_key, received_at);
CREATE INDEX trace_events_event_outcome ON trace_events (event_key, outcome, received_at);
CREATE INDEX trace_events_pipeline_event ON trace_events (pipeline, event_key, received_at);
CREATE INDEX trace_events_pipeline ON trace_events (pipeline, received_at);
CREATE INDEX trace_events_pipeline_outcome ON trace_events (pipeline, outcome, received_at);
CREATE INDEX trace_events_visitor ON trace_events (anonymous_id, received_at);
CREATE INDEX trace_events_user ON trace_events (user_id, received_at) WHERE user_id <> '';
CREATE INDEX trace_events_message ON trace_events (message_id);

CREATE TABLE trace_routes (
	id          BIGINT  NOT NULL,
	integration TEXT    NOT NULL,
	event_key   TEXT    NOT NULL, -- of the event, so that one index serves the filters
	received_at BIGINT  NOT NULL, -- of the event
	gen         INTEGER NOT NULL,
	outcome     TEXT    NOT NULL,
	reason      TEXT    NOT NULL,
	summary     TEXT    NOT NULL,
	status      INTEGER NOT NULL,
	code        INTEGER NOT NULL,
	took_ms     BIGINT  NOT NULL,
	tries       INTEGER NOT NULL,
	at          BIGINT  NOT NULL,
	next_try    BIGINT  NOT NULL,
	PRIMARY KEY (id, integration)
) WITHOUT ROWID;
CREATE INDEX trace_routes_received ON trace_routes (integration, received_at);
CREATE INDEX trace_routes_outcome ON trace_routes (integration, outcome, received_at);
CREATE INDEX trace_routes_event ON trace_routes (integration, event_key, received_at);
CREATE INDEX trace_routes_event_outcome ON trace_routes (integration, event_key, outcome, received_at);

-- Records as they came, compressed.
CREATE TABLE trace_records (
	n    INTEGER NOT NULL PRIMARY KEY,
	id   BIGINT  NOT NULL,
	at   BIGINT  NOT NULL,
	body BLOB    NOT NULL
);
CREATE INDEX trace_records_event ON trace_records (id);

CREATE TABLE trace_words (
	word TEXT   NOT NULL,
	id   BIGINT NOT NULL,
	PRIMARY KEY (word, id)
) WITHOUT ROWID;

CREATE TABLE trace_size (
	only  INTEGER NOT NULL PRIMARY KEY,
	bytes BIGINT  NOT NULL
);
INSERT INTO trace_size (only, bytes) VALUES (1, 0);

CREATE TABLE users (
	id            TEXT   NOT NULL PRIMARY KEY,
	email         TEXT   NOT NULL,
	email_key     TEXT   NOT NULL UNIQUE, -- in lower case
	name          TEXT   NOT NULL,
	role          TEXT   NOT NULL,
	password_hash TEXT   NOT NULL,
	created_at    BIGINT NOT NULL,
	last_seen     BIGINT NOT NULL
) WITHOUT ROWID;

CREATE TABLE web_sessions (
	token   TEXT   NOT NULL PRIMARY KEY, -- hashed
	data    BLOB   NOT NULL,
	expires BIGINT NOT NULL
) WITHOUT ROWID;
CREATE INDEX web_sessions_expires ON web_sessions (expires);

CREATE TABLE setup_tokens (
	hash    TEXT   NOT NULL PRIMARY KEY,
	expires BIGINT NOT NULL
) WITHOUT ROWID;
