-- Sessions, their messages, and the claims of runs on them.
-- Times are seconds since the epoch.

CREATE TABLE sessions (
    id            INTEGER PRIMARY KEY,
    session_key   TEXT NOT NULL UNIQUE,
    agent_id      TEXT NOT NULL,
    created_at    REAL NOT NULL,
    updated_at    REAL NOT NULL,
    message_count INTEGER NOT NULL  -- the position of the next message; saves counting
);

-- Rows are added and never changed.  WITHOUT ROWID stores the messages of a session
-- next to each other, so a transcript is one scan of a range.
CREATE TABLE messages (
    session    INTEGER NOT NULL REFERENCES sessions (id),
    position   INTEGER NOT NULL,  -- 0, 1, 2, ... without gaps
    run_id     TEXT NOT NULL,     -- the run that added it
    created_at REAL NOT NULL,
    body       TEXT NOT NULL,     -- JSON, tagged by "role"
    PRIMARY KEY (session, position)
) WITHOUT ROWID;

-- The runs that currently use a session.  The row is deleted when the turn ends.
CREATE TABLE claims (
    session_key TEXT PRIMARY KEY,
    run_id      TEXT NOT NULL,
    owner       TEXT NOT NULL,    -- host:pid:start of the process:nonce of the store
    expires_at  REAL NOT NULL     -- by the machine's monotonic clock
) WITHOUT ROWID;
